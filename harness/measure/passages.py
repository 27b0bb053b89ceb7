"""When each intervention came and went, read from the journal, in seconds since the epoch.

An intervention of several effects begins with the first of them and is gone with the last.
Nothing here is what was planned: a step that is not in the journal did not happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.clock import Epoch
from harness.record.journal import Step
from harness.record.plan import Plan

BEGAN = ("injecting", "acting")
CAME = ("injected", "acted")
LEFT = ("gone", "target_gone")


@dataclass(frozen=True)
class Passage:
    """One intervention that began. None: that never happened, or not to all of its effects."""

    id: str
    event: bool
    begun: float
    injected: float | None
    witnessed: float | None
    reverting: float | None
    gone: float | None


def passages(plan: Plan, steps: Iterable[Step], epoch: Epoch) -> tuple[Passage, ...]:
    """Every intervention that began, in the order of their beginning."""
    firsts = _firsts(steps, epoch)
    found = (_passage(plan, intervention, firsts) for intervention in plan.interventions)
    return tuple(sorted((p for p in found if p), key=lambda passage: passage.begun))


Firsts = dict[tuple[str, str], float]


def _firsts(steps: Iterable[Step], epoch: Epoch) -> Firsts:
    """When each effect first had each step."""
    firsts: Firsts = {}
    for step in steps:
        firsts.setdefault((step.effect, step.step), epoch.seconds(step.at))
    return firsts


def _passage(plan: Plan, intervention: str, firsts: Firsts) -> Passage | None:
    effects = plan.of(intervention)
    began = [e.id for e in effects if _first(firsts, e.id, BEGAN) is not None]
    if not began:
        return None
    reverting = _known(firsts, began, ("reverting",))
    first = [id for id in began if not plan.effect(id).instead_of]
    return Passage(
        intervention,
        effects[0].event,
        min(_known(firsts, began, BEGAN)),
        _last_of_all(firsts, first, CAME),
        _last_of_all(firsts, first, ("witnessed",)),
        min(reverting) if reverting else None,
        _last_of_all(firsts, began, LEFT),
    )


def _last_of_all(firsts: Firsts, effects: list[str], steps: tuple[str, ...]) -> float | None:
    known = _known(firsts, effects, steps)
    return max(known) if len(known) == len(effects) else None


def _known(firsts: Firsts, effects: list[str], steps: tuple[str, ...]) -> list[float]:
    times = (_first(firsts, effect, steps) for effect in effects)
    return [time for time in times if time is not None]


def _first(firsts: Firsts, effect: str, steps: tuple[str, ...]) -> float | None:
    times = [firsts[effect, step] for step in steps if (effect, step) in firsts]
    return min(times) if times else None


def end_of_load(plan: Plan, steps: Iterable[Step], epoch: Epoch) -> float:
    """When the run ended for its requests: as planned, unless it was ended earlier."""
    times = {step.step: epoch.seconds(step.at) for step in steps}
    return min(plan.duration, times.get("load.ended", max(times.values(), default=0.0)))
