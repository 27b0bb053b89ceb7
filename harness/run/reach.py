"""Everything that a plan would touch, other tenants of a node included. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.agent.effects import Cordoned, Node, PoweredOff, Resource, Workload
from harness.experiment.model import Guard
from harness.record.plan import PlannedEffect
from harness.substrates.substrate import Replica, Surroundings, Tenant, Topology

_SHOWN = 6

Effects = tuple[PlannedEffect, ...]


def reach(guard: Guard, effects: Effects, around: Surroundings) -> str:
    """Why this is more than the numbers and namespaces of the file allow, or nothing."""
    strangers = tuple(t for e in effects for t in tenants(e, around))
    found = _counted(effects, strangers, around.topology)
    for what, most in guard.blast_radius:
        if len(found[what]) > most:
            return (
                f"this touches {len(found[what])} {what} ({listed(found[what])}), the blast "
                f"radius allows {most}"
            )
    return _foreign(guard, effects, strangers, around.namespace)


def touched(effect: PlannedEffect, topology: Topology) -> tuple[Replica, ...]:
    """The replicas that the effect sits at, or all of its workload or node; for an edge of the
    load, none of the system. A cordon touches nobody who is there."""
    if isinstance(effect.resource, Workload):
        return topology.named(effect.resource.service)
    if isinstance(effect.resource, Node):
        cordon = isinstance(effect.does, Cordoned) and not effect.does.drained
        return () if cordon else topology.named(effect.resource.target)
    hosts = host_of(effect.resource).split("+")
    return tuple(r for r in topology.replicas if r.name in hosts)


def tenants(effect: PlannedEffect, around: Surroundings) -> tuple[Tenant, ...]:
    """Who is not the system's, and suffers it all the same."""
    if not (isinstance(effect.resource, Node) and ends_all(effect)):
        return ()
    return tuple(t for t in around.tenants if t.node == host_of(effect.resource))


def ends_all(effect: PlannedEffect) -> bool:
    """Whoever lives on the node suffers it, not the system alone."""
    return isinstance(effect.does, PoweredOff)


def host_of(resource: Resource) -> str:
    """`web-0` of pod/shop/web-0->api, `n1` of node/n1."""
    return resource.target.split("->")[0].rpartition("/")[2]


def listed(names: Iterable[str]) -> str:
    """The first few of them, in order."""
    found = sorted(names)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _counted(
    effects: Effects, strangers: tuple[Tenant, ...], topology: Topology
) -> dict[str, set[str]]:
    replicas = [r for e in effects for r in touched(e, topology)]
    nodes = {host_of(e.resource) for e in effects if isinstance(e.resource, Node)}
    names = {r.name for r in replicas}
    zones = {r.zone for r in (*replicas, *(r for r in topology.replicas if r.node in nodes))}
    return {
        "services": {r.service for r in replicas},
        "replicas": names,
        "pods": names | {f"{t.namespace}/{t.name}" for t in strangers},
        "nodes": (nodes | {r.node for r in replicas}) - {""},
        "zones": zones - {""},
    }


def _foreign(
    guard: Guard, effects: Effects, strangers: tuple[Tenant, ...], namespace: str
) -> str:  # fmt: skip
    """Namespaces that are hit, and that the file does not name; by itself it means its own."""
    only = set(guard.namespaces) or {namespace}
    own = set(_namespaces(effects))
    if guard.namespaces and own - only:
        return (
            f"this touches namespace {listed(own - only)}, the blast radius allows {listed(only)}"
        )
    others = [t for t in strangers if t.namespace not in only]
    if not others:
        return ""
    names = listed(f"{t.namespace}/{t.name}" for t in others)
    return (
        f"{listed({f'node/{t.node}' for t in others})} also carries {names}: "
        "guard.blast_radius.namespaces has to name every namespace that is hit"
    )


def _namespaces(effects: Effects) -> Iterator[str]:
    parts = (e.resource.target.split("->")[0].split("/") for e in effects)
    return (p[1] for p in parts if len(p) == 3)
