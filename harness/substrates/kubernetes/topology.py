"""From a System file and what is there to a `Topology`: pods are replicas, nodes tell zones."""

from __future__ import annotations

from dataclasses import dataclass

from harness.experiment import system_model as model
from harness.substrates.kubernetes.objects import Node, Pod, Service
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.ways import ways_to
from harness.substrates.substrate import Front, Replica, Topology, Way

CLIENT = Replica("client", "client", "", "127.0.0.1", 0)


@dataclass(frozen=True)
class Found:
    """A topology, the pod behind each of its replicas, by the replica's name, and the workload of
    each service. `headless` are services that callers may dial by the addresses of pods."""

    topology: Topology
    pods: dict[str, Pod]
    workloads: dict[str, str]
    headless: frozenset[str] = frozenset()


def find(system: model.System, reader: Reader) -> Found:
    """Raises `Refused` for workloads that are not there."""
    replicas: list[Replica] = []
    pods: dict[str, Pod] = {}
    ways: list[Way] = []
    fronts: list[Front] = []
    headless: list[str] = []
    for service in system.services:
        if service.external:
            replicas.append(_external(service))
            continue
        there = reader.pods_of(service.workload)
        before = reader.services_of(there)
        replicas += [_replica(service, pod, before, reader.nodes) for pod in there]
        pods |= {pod.name: pod for pod in there}
        fronts += [Front(service.name, s.address, p.port) for s in before if s.address
                   for p in s.ports]  # fmt: skip
        headless += [service.name] if not before or not all(s.address for s in before) else []
        ways += ways_to(service, there, before, reader)
    workloads = {s.name: s.workload for s in system.services if s.workload}
    calls = tuple((s.name, to) for s in system.services for to in s.calls)
    made = Topology(tuple(replicas), calls, CLIENT, tuple(ways), tuple(fronts))
    return Found(made, pods, workloads, frozenset(headless))


def _external(service: model.Service) -> Replica:
    host, _, port = service.external.rpartition(":")
    return Replica(service.name, service.name, "", host, int(port))


def _replica(
    service: model.Service, pod: Pod, before: tuple[Service, ...], nodes: dict[str, Node]
) -> Replica:
    zone, region = (nodes[pod.node].zone, nodes[pod.node].region) if pod.node in nodes else ("", "")
    port = _port_inside(service.port, pod, before)
    return Replica(
        pod.name, service.name, zone, pod.address, port, node=pod.node,
        workload=service.workload, region=region, created=pod.created,
        labels=pod.labels, ready=pod.ready,
    )  # fmt: skip


def _port_inside(port: int, pod: Pod, before: tuple[Service, ...]) -> int:
    """The container's port: behind the Service's, if the file means that; else the first."""
    named = dict(pod.ports)
    for found in (p for service in before for p in service.ports if p.port == port):
        return int(found.target) if found.target.isdigit() else named.get(found.target, port)
    return port or next((number for _, number in pod.ports), 0)
