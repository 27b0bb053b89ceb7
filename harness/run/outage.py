"""Who cannot serve while faults are on together, and what has to be left. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.agent.effects import (
    Cordoned,
    DeletePod,
    Kill,
    KillContainer,
    LinkProfile,
    PoweredOff,
    Replicas,
    Stopped,
    Workload,
)
from harness.experiment.model import Guard
from harness.record.plan import PlannedEffect
from harness.run.reach import Effects, listed, tenants, touched
from harness.substrates.substrate import Replica, Surroundings, Topology

#: Below this there is no majority to lose.
_MEMBERS = 3


def moment(guard: Guard, on: Effects, around: Surroundings) -> str:
    """Why these may not be on together, or nothing."""
    whys = (
        *_rolling(on, around),
        *_too_few(guard, on, around.topology),
        *_overdrawn(guard, on, around),
        *_without_majority(guard, on, around),
    )
    return next(iter(whys), "")


def takes_out(effects: Effects) -> bool:
    """Some of them keep replicas from serving."""
    return any(_is_outage(effect) for effect in effects)


def missed(effect: PlannedEffect, topology: Topology) -> tuple[Replica, ...]:
    """The replicas that cannot serve because of it."""
    if not _is_outage(effect):
        return ()
    there = touched(effect, topology)
    return there[effect.does.count :] if isinstance(effect.does, Replicas) else there


def _is_outage(effect: PlannedEffect) -> bool:
    match effect.does:
        case Replicas() | Stopped() | PoweredOff() | Kill() | KillContainer() | DeletePod():
            return True
        case Cordoned(drained=drained):
            return drained
        case LinkProfile(peers=(), ports=(), protocol="", cut=cut):
            return bool(cut)
    return False


# ---------------------------------------------------------------- what has to be left


def _rolling(on: Effects, around: Surroundings) -> Iterator[str]:
    """Of workloads that no fault of ours rolls out."""
    ours = {e.resource.service for e in on if isinstance(e.resource, Workload)}
    hit = {r.workload for e in on for r in touched(e, around.topology) if r.service not in ours}
    for workload in around.rolling:
        if workload in hit:
            yield f"a rollout is under way: {workload}"


def _too_few(guard: Guard, on: Effects, topology: Topology) -> Iterator[str]:
    """Of each service that is touched, so many ready replicas stay as they are."""
    hit = {r.name for e in on for r in touched(e, topology)}
    least = guard.ready_endpoints
    services = {r.service for r in topology.replicas if r.name in hit}
    for service in sorted(services if least else ()):
        there = topology.named(service)
        left = sum(r.ready and r.name not in hit for r in there)
        if left < least * len(there):
            yield (
                f"this leaves {left} of {len(there)} endpoints of {service} ready and untouched, "
                f"the blast radius wants at least {least:.0%}"
            )


def _overdrawn(guard: Guard, on: Effects, around: Surroundings) -> Iterator[str]:
    """Who is missing already is in the budget's own count."""
    serving = {r.name for r in around.topology.replicas if r.ready}
    out = {r.name for e in on for r in missed(e, around.topology)} & serving
    out |= {t.name for e in on for t in tenants(e, around)}
    for budget in around.budgets:
        taken = out & set(budget.pods)
        if len(taken) > budget.spare and budget.name not in guard.budgets:
            yield (
                f"this takes {listed(taken)}, and the disruption budget {budget.name} can spare "
                f"{budget.spare} now: guard.blast_radius.budgets names those that may be overdrawn"
            )


def _without_majority(guard: Guard, on: Effects, around: Surroundings) -> Iterator[str]:
    """Of a StatefulSet of three or more, more than half stays."""
    out = {r.name for e in on for r in missed(e, around.topology)}
    there = around.topology.replicas
    for workload in sorted({r.workload for r in there if r.name in out}):
        kind, _, name = workload.partition("/")
        members = [r for r in there if r.workload == workload]
        size = max(dict(around.sizes).get(workload, 0), len(members))
        left = sum(r.ready and r.name not in out for r in members)
        few = size >= _MEMBERS and left <= size // 2
        if kind == "statefulset" and few and name not in guard.quorums:
            yield (
                f"this leaves {left} of {size} members of {workload}, no majority: "
                "guard.blast_radius.quorums names those that may lose it"
            )
