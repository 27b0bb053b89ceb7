"""A plan in plain words, for people who want to know before anything happens."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from textwrap import wrap

from harness.agent.effects import PROBES, Spared
from harness.record.plan import LoadPlan, Plan, PlannedEffect
from harness.run.plan import expected_requests
from harness.run.reach import listed

_WIDTH = 100


def plan_text(plan: Plan) -> str:
    """Lines that fit 100 columns; the plan itself stays the plan."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{plan.name}: {plan.hypothesis}".rstrip(": ")
    yield f"  on {plan.substrate}, system {plan.system}, seed {plan.seed}"
    if plan.place:
        yield f"  acts on {plan.place}"
    yield (
        f"  takes {plan.warmup + plan.duration:g} s: warm-up {plan.warmup:g} s, "
        f"run {plan.duration:g} s with {plan.settle:g} s to settle"
    )
    if plan.load:
        expected = expected_requests(plan, 0.0, plan.duration)
        about = f"about {expected:.0f} {plan.load.counts}"
        yield f"  load: {_what(plan.load)} to {plan.load.url}, {about}{_where(plan.load)}"
    yield ""
    prepares = [e for e in plan.effects if e.prepare]
    for effect in prepares:
        yield f"  before the baseline   {effect.says} [{effect.mechanism}]"
    for effect in plan.effects:
        if not effect.prepare:
            yield f"  {_when(effect):21} {effect.says} [{effect.mechanism}]"
    if not plan.effects:
        yield "  no faults"
    yield from _spared(plan)
    yield ""
    yield from _objectives(plan)
    for warning in plan.warnings:
        yield f"  warning: {warning}"


def _spared(plan: Plan) -> Iterator[str]:
    """What faults leave alone at which targets, and why."""
    found: dict[Spared, list[str]] = {}
    for effect in plan.effects:
        for spared in getattr(effect.does, "spared", ()):
            found.setdefault(spared, []).append(effect.target)
    for spared, targets in found.items():
        at = listed(dict.fromkeys(targets))
        yield from wrap(f"spared at {at}: {_spared_text(spared)}", _WIDTH,
                        initial_indent="  ", subsequent_indent=" " * 8)  # fmt: skip
    if found:
        yield "  `spare: []` spares nothing; a fault between from: and to: never does"


def _spared_text(spared: Spared) -> str:
    ports = " ".join(map(str, spared.ports))
    if spared.name == PROBES:
        node = " ".join(spared.addresses)
        return (
            f"its kubelet's probes: what the node ({node}) sends by itself (TTL {spared.ttl}) to "
            f"port {ports}, and the answers; else it would leave its Service, or be restarted"
        )
    known = ", ".join((*spared.addresses, "its own resolvers"))
    return f"DNS: {known}, port {ports}; else nothing that has a name could be reached"


def _what(load: LoadPlan) -> str:
    if load.prober:
        return f"a prober, GET {load.requests[0].path}"
    lines = len(load.requests)
    return load.users or f"{lines} declared request{'s' if lines > 1 else ''}"


def _where(load: LoadPlan) -> str:
    if load.origin == "here":
        return ""
    return f", from {load.workers} pod{'s' if load.workers > 1 else ''} of the cluster"


def _objectives(plan: Plan) -> Iterator[str]:
    """Each with what it takes to prove and to disprove it."""
    from harness.verdict.effort import efforts

    for effort in efforts(plan, partial(expected_requests, plan)):
        yield f"  {effort.objective.text}"
        for word, says in (("to prove", effort.prove), ("to disprove", effort.disprove)):
            if says:
                yield from wrap(f"{word}: {says}", _WIDTH, initial_indent=" " * 6,
                                subsequent_indent=" " * 8)  # fmt: skip


def _when(effect: PlannedEffect) -> str:
    if effect.event:
        return f"at {effect.at:g} s, once"
    return f"{effect.at:g} s to {effect.at + effect.lasts:g} s"
