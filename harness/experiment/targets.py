"""Whether what a fault names exists in the system, and can take such a fault.

Decided from the files alone; the substrate has the last word at plan time. A fault says what it
needs by a capability, of which this room knows the name only.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.experiment import codes
from harness.experiment.codes import Code
from harness.experiment.model import Where
from harness.experiment.problems import did_you_mean
from harness.experiment.system_model import Service, System
from harness.experiment.workloads import in_full

#: The host that the load lives on.
CLIENT = "client"
#: What only a cluster has, by capability.
_OF_CLUSTERS = {"Pods": "pods", "Workloads": "workloads", "Nodes": "nodes"}


@dataclass(frozen=True)
class Misplaced:
    """Why a fault cannot act there; `key` is the word of the file that is to blame."""

    key: str
    code: Code
    said: str
    hint: str = ""


def references(system: System) -> tuple[str, ...]:
    """Everything that may be named: services, replicas, zones, and client."""
    names = [service.name for service in system.services]
    for service in system.services:
        if service.replicas > 1:
            names += [f"{service.name}-{i}" for i in range(service.replicas)]
        names += [f"zone/{zone}" for zone in service.zones]
    return (*dict.fromkeys(names), CLIENT)


def exists(system: System, reference: str) -> bool:
    """On a cluster only the cluster knows its pods, nodes and zones."""
    if system.cluster and "/" in reference:
        return bool(in_full(reference))
    replica = system.cluster and system.service(reference.rpartition("-")[0])
    return bool(replica and reference[-1].isdigit()) or reference in references(system)


def services_at(system: System, reference: str) -> tuple[Service, ...]:
    """The services that a reference touches; none for client and for what does not exist."""
    if reference.startswith("zone/"):
        return tuple(s for s in system.services if reference[5:] in s.zones)
    name = reference
    if system.service(name) is None and exists(system, name):
        name = name.rpartition("-")[0]
    service = system.service(name)
    return (service,) if service else ()


def misplaced(
    system: System, where: Where, needs: str, *, on_edges: bool, entry: str
) -> Misplaced | None:
    """The first reason why a fault that `needs` this capability cannot act there, or None."""
    named = {"target": where.target, "from": where.origin, "to": where.to}
    for key, reference in named.items():
        if reference and not exists(system, reference):
            hint = did_you_mean(reference, references(system), "targets")
            said = f"the system has no {reference!r}"
            return Misplaced(key, codes.TARGET, said, hint)
    if on_edges:
        return _off_edge(system, where, entry)
    if needs in _OF_CLUSTERS:
        return _not_on_a_cluster(system, where, needs)
    if needs in ("Signals", "Units"):
        return _not_a_process(system, where, needs)
    if needs == "Links" and any(s.external for s in services_at(system, where.target)):
        said = f"{where.target} is external: its network is out of reach"
        return Misplaced("target", codes.NOT_TAKEN, said, f"from: a caller, to: {where.target}")
    if needs == "Links" and system.attached:
        key = "target" if where.target else "from"
        said = "the system is attached: its network is not ours to disturb"
        return Misplaced(key, codes.NOT_TAKEN, said, "services with `run` live in a world of ours")
    return None


def _not_on_a_cluster(system: System, where: Where, needs: str) -> Misplaced | None:
    what = _OF_CLUSTERS[needs]
    if not system.cluster:
        said = f"it acts on {what} of a cluster, and the system lives on none"
        key = "target" if where.target else "from"
        return Misplaced(key, codes.NOT_TAKEN, said, "--system a System file with `kubernetes`")
    if where.origin:
        said = f"it acts on {what}, not between two services"
        return Misplaced("from", codes.WHERE, said, f"write target: {where.origin}")
    return None


def _not_a_process(system: System, where: Where, needs: str) -> Misplaced | None:
    if where.origin:
        said = "it acts on processes, not between two services"
        return Misplaced("from", codes.WHERE, said, f"write target: {where.origin}")
    if where.target == CLIENT:
        said = "client is the load itself; disturbing it would spoil the measurement"
        return Misplaced("target", codes.NOT_TAKEN, said)
    for service in services_at(system, where.target):
        if service.upstream or service.external:
            form = "upstream" if service.upstream else "external"
            said = f"{service.name} runs elsewhere ({form}): its processes are out of reach"
            return Misplaced("target", codes.NOT_TAKEN, said)
        if needs == "Units" and not service.run:
            said = f"{service.name} was not started by us, so we cannot restart it"
            return Misplaced("target", codes.NOT_TAKEN, said, "process.kill is possible")
    return None


def _off_edge(system: System, where: Where, entry: str) -> Misplaced | None:
    callee = where.to or where.target
    key = "to" if where.to else "target"
    called = services_at(system, callee)
    if system.attached and called and not all(service.upstream for service in called):
        said = f"the system is attached, and {callee} is not behind a proxy"
        return Misplaced(key, codes.NOT_TAKEN, said, "it takes upstream and proxy")
    if called and not any(s.port or s.upstream or s.external or s.workload for s in called):
        return Misplaced(key, codes.NOT_TAKEN, f"{callee} has no port to be called at")
    callers = _callers(system, called, entry)
    if not callers:
        said = f"nobody calls {callee}: no service has it in `calls`"
        return Misplaced(key, codes.NOT_TAKEN, said, _edges(system))
    if where.origin and not callers & _names(system, where.origin):
        said = f"{where.origin} does not call {callee}"
        return Misplaced(key, codes.NOT_TAKEN, said, _edges(system))
    others = callers - _names(system, where.origin)
    if system.attached and where.origin and others:
        said = f"the proxy of {callee} cannot tell {where.origin} from {', '.join(sorted(others))}"
        return Misplaced("from", codes.NOT_TAKEN, said, f"all callers: target: {callee}")
    return None


def _names(system: System, reference: str) -> set[str]:
    return {CLIENT} if reference == CLIENT else {s.name for s in services_at(system, reference)}


def _callers(system: System, called: tuple[Service, ...], entry: str) -> set[str]:
    wanted = {service.name for service in called}
    callers = {s.name for s in system.services if wanted & set(s.calls)}
    return callers | ({CLIENT} if entry in wanted else set())


def _edges(system: System) -> str:
    edges = [f"{s.name}->{callee}" for s in system.services for callee in s.calls]
    return f"declared in calls: {', '.join(edges[:12]) or 'nothing'}"
