"""How load reaches a service of the cluster, and what that way adds to what is measured.

From pods of the cluster by its Service; from here by the first that there is of a load balancer, a
NodePort, an Ingress, and a line through the API server, which there always is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from harness.experiment import model
from harness.substrates.kubernetes.objects import Node, Pod, Service, ServicePort
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.substrate import Way

#: Stands in the environment of every pod.
INSIDE = "KUBERNETES_SERVICE_HOST"


def ways_to(
    service: model.Service, pods: tuple[Pod, ...], before: tuple[Service, ...], reader: Reader
) -> tuple[Way, ...]:
    """None for what has no Service and no port."""
    inside = _inside(service, pods, before, reader.name)
    if inside is None:
        return ()
    if INSIDE in os.environ:
        return inside, Way(service.name, "here", inside.url, inside.says)
    return inside, next(_from_here(service, before, reader, inside))


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
) -> Iterator[Way]:
    name = service.name
    for found, port in _meant(service, before):
        if found.balancer:
            url = f"http://{found.balancer}:{port.port}"
            yield Way(name, "here", url, f"{name} is reached from here through its load balancer "
                      f"{url}: that and the way to it are in every latency")  # fmt: skip
        if port.node_port and (node := _door(reader.nodes)):
            yield _through(name, node, port)
        for url in reader.ingress_to(found.name):
            yield Way(name, "here", url, f"{name} is reached from here through its Ingress {url}: "
                      "its controller is in every latency, and in every outage")  # fmt: skip
    said = (
        f"{name} is reached from here by port-forward, for it has no other door: the API server "
        "and a kubelet are in every latency, each connection is one of theirs, and pods are chosen "
        "here in turn, not by the Service"
    )
    yield Way(name, "here", inside.url, said, forwarded=True)


def _meant(
    service: model.Service, before: tuple[Service, ...]
) -> list[tuple[Service, ServicePort]]:
    """The Service's port that the file names; all where it names none of them."""
    ways = [(s, p) for s in before for p in s.ports]
    return [(s, p) for s, p in ways if not service.port or p.port == service.port] or ways


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
