"""How load reaches a service of the cluster, and what that way adds to what is measured.

From pods of the cluster by its Service; from here by the first that there is of a load balancer, a
NodePort, an Ingress, and a line through the API server, which there always is. The System file may
say which (`through`), or by what URL its users know the service: then an Ingress that has that name
tells the address.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from harness.errors import Refused
from harness.experiment import system_model as model
from harness.substrates.kubernetes.ingresses import Door
from harness.substrates.kubernetes.objects import Node, Pod, Service, ServicePort
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.substrate import Way

#: Stands in the environment of every pod.
INSIDE = "KUBERNETES_SERVICE_HOST"


def ways_to(
    service: model.Service, pods: tuple[Pod, ...], before: tuple[Service, ...], reader: Reader
) -> tuple[Way, ...]:
    """None for what has no Service and no port. Raises `Refused` for a way that is not there."""
    if service.url:
        named = _named(service, before, reader)
        return named, replace(named, origin="cluster")
    inside = _inside(service, pods, before, reader.name)
    if inside is None:
        return ()
    if INSIDE in os.environ and not service.through:
        return inside, Way(service.name, "here", inside.url, inside.says)
    return inside, _chosen(service, _from_here(service, before, reader, inside))


def _chosen(service: model.Service, ways: Iterator[tuple[str, Way]]) -> Way:
    """The first, or the first of the kind that the file names."""
    if not service.through:
        return next(ways)[1]
    found = dict(reversed(tuple(ways)))
    if service.through not in found:
        said = f"{service.name} is to be reached through {service.through}, which it does not have"
        raise Refused(said, hint=f"it has: {', '.join(w for w in model.THROUGH if w in found)}")
    return found[service.through]


def _named(service: model.Service, before: tuple[Service, ...], reader: Reader) -> Way:
    """By the URL that its users know."""
    name, host = service.name, urlsplit(service.url).hostname or ""
    ports = [(s, p) for s in before for p in s.ports]
    doors = (d for s, p in ports for d in reader.ingress_to(s.name, p) if d.answers(host))
    door = next(doors, None)
    if door is None:
        return Way(name, "here", service.url, f"{name} is reached at {service.url}")
    door = replace(door, host=host, secure=service.url.startswith("https:"))
    return _through_ingress(name, door, urlsplit(service.url).path, urlsplit(service.url).port)


def _inside(
    service: model.Service, pods: tuple[Pod, ...], before: tuple[Service, ...], namespace: str
) -> Way | None:
    for found, port in _meant(service, before):
        url = f"http://{found.name}.{namespace}:{port.port}"
        said = f"{service.name} is reached from inside of the cluster by its Service, at {url}"
        return Way(service.name, "cluster", url, said)
    if not (service.port and pods):
        return None
    url = f"http://{pods[0].address}:{service.port}"
    said = f"{service.name} has no Service: its load goes to the pod {pods[0].name} alone"
    return Way(service.name, "cluster", url, said)


def _from_here(
    service: model.Service, before: tuple[Service, ...], reader: Reader, inside: Way
) -> Iterator[tuple[str, Way]]:
    """Every way that there is, named as in `model.THROUGH`."""
    name = service.name
    for found, port in _meant(service, before):
        if found.balancer:
            yield "load-balancer", _through_balancer(name, found, port)
        if port.node_port and (node := _door(reader.nodes)):
            yield "node-port", _through(name, node, port)
        doors = (d for d in reader.ingress_to(found.name, port) if d.plain)
        if door := next(doors, None):
            yield "ingress", _through_ingress(name, door, door.path)
    said = (
        f"{name} is reached from here by port-forward{_lacking(service)}: the API server "
        "and a kubelet are in every latency, each connection is one of theirs, and pods are chosen "
        "here in turn, not by the Service"
    )
    yield "port-forward", Way(name, "here", inside.url, said, forwarded=True)


def _meant(
    service: model.Service, before: tuple[Service, ...]
) -> list[tuple[Service, ServicePort]]:
    """The Service's port that the file names; all where it names none of them."""
    ways = [(s, p) for s in before for p in s.ports]
    return [(s, p) for s, p in ways if not service.port or p.port == service.port] or ways


def _lacking(service: model.Service) -> str:
    return "" if service.through else ", for it has no other door"


def _door(nodes: dict[str, Node]) -> Node | None:
    ready = (n for n in nodes.values() if n.ready and n.address and not n.control_plane)
    return min(ready, key=lambda node: node.name, default=None)


def _through(name: str, node: Node, port: ServicePort) -> Way:
    url = f"http://{node.address}:{port.node_port}"
    said = (
        f"{name} is reached from here through NodePort {port.node_port} of {node.name}: that node "
        "and its kube-proxy are in every latency, and in every outage of theirs"
    )
    return Way(name, "here", url, said)


def _through_balancer(name: str, service: Service, port: ServicePort) -> Way:
    url = f"http://{service.balancer}:{port.port}"
    said = (
        f"{name} is reached from here through its load balancer {url}: that and the way to it are "
        "in every latency, and in every outage of theirs"
    )
    return Way(name, "here", url, said)


def _through_ingress(name: str, door: Door, path: str, port: int | None = None) -> Way:
    """With a certificate it has to be called by its name, which DNS has to know here; without one
    its address is called, and told the name: as `kubectl get ingress` shows both."""
    host = door.host or door.address
    there = host if door.secure else door.address
    url = f"http{'s' if door.secure else ''}://{there}{f':{port}' if port else ''}"
    url += path.rstrip("/")
    called = f", called {host}" if door.host and not door.secure else ""
    said = (
        f"{name} is reached from here through Ingress {door.ingress}"
        f"{f' (class {door.kind})' if door.kind else ''} at {url}{called}: its controller is in "
        "every latency, and in every outage of its own"
    )
    return Way(name, "here", url, said, host="" if door.secure else door.host)
