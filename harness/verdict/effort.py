"""What it takes to prove and to disprove each objective, said before anything is run.

Requests are turned into time by the arrivals of the plan; beyond its window, as if they went on
like this. Of requests with a name nobody knows beforehand how many there will be, so there the time
is left out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from harness.experiment.indicators import ELSEWHERE
from harness.experiment.model import Objective
from harness.measure import enough, sequential
from harness.measure.claims import allowed, fewest
from harness.measure.recovery import WINDOW_S
from harness.measure.statistics import bounding, proving, refuting
from harness.record.plan import Plan
from harness.verdict import wording
from harness.verdict.planning import planned_span, target_of

Expected = Callable[[float, float], float]


@dataclass(frozen=True)
class Effort:
    """`prove` and `disprove` in words; `expected` requests are due in the planned window."""

    objective: Objective
    expected: float
    prove: str
    disprove: str


def efforts(plan: Plan, expected: Expected) -> tuple[Effort, ...]:
    """One for each objective; `expected(begin_s, end_s)` are the requests due in a span."""
    return tuple(_effort(objective, plan, expected) for objective in plan.objectives)


def _effort(objective: Objective, plan: Plan, expected: Expected) -> Effort:
    begin, end = planned_span(objective, plan)
    clock = _Clock(objective, begin, end, expected)
    due = clock.due
    if objective.indicator in ELSEWHERE:
        prove, disprove = f"not by this experiment: {ELSEWHERE[objective.indicator]}", ""
    elif objective.indicator == "recovery":
        prove, disprove = _recovery(objective)
    elif objective.than or objective.slice_s or objective.indicator in ("throughput", "memory"):
        prove, disprove = _whole_window(objective, end - begin), ""
    elif objective.confidence:
        prove, disprove = _in_general(objective, clock, int(due), early=plan.until_decided)
    else:
        prove, disprove = _of_this_run(objective, clock, int(due))
    return Effort(objective, due, prove, disprove)


@dataclass(frozen=True)
class _Clock:
    """Says how long so many requests take from the beginning of an objective's window."""

    objective: Objective
    begin: float
    end: float
    expected: Expected

    @property
    def due(self) -> float:
        return self.expected(self.begin, self.end)

    def says(self, count: int) -> str:
        """`29,956 requests in 2 min 30 s`."""
        said = f"{count:,} {wording.noun(self.objective)}"
        if self.objective.name or self.due <= 0:
            return said
        return f"{said} in {wording.duration(self.takes_s(count))}"

    def takes_s(self, count: int) -> float:
        span = self.end - self.begin
        if count > self.due:
            return span * count / self.due
        tenths = bisect_left(
            range(math.ceil(10 * span)), count - 1e-6,
            key=lambda t: self.expected(self.begin, self.begin + t / 10),
        )  # fmt: skip
        return tenths / 10


# ---------------------------------------------------------------- requests that are counted


def _in_general(objective: Objective, clock: _Clock, due: int, *, early: bool) -> tuple[str, str]:
    target, confidence = target_of(objective), objective.confidence
    least = proving(target, 0, confidence)
    if early:
        least = sequential.clean(0, round(1 - target, 15))
    prove = f"{clock.says(least)}, all good"
    if twice := enough.sufficing(target, confidence):
        prove += f"; {clock.says(_about(twice))} of a service twice as good"
    disprove = _fails(objective, refuting(target, due, confidence), due)
    exposing = clock.says(_about(enough.exposing(target, confidence)))
    return prove, "; ".join(filter(None, [disprove, f"{exposing} of one twice as bad"]))


def _of_this_run(objective: Objective, clock: _Clock, due: int) -> tuple[str, str]:
    target, strict = target_of(objective), objective.op in ("<", ">")
    strict = strict and objective.indicator != "latency"
    prove = f"at least {clock.says(fewest(target, strict=strict))}"
    if objective.name:
        return prove, f"more than {wording.percent(1 - target)} of them bad"
    return prove, _fails(objective, allowed(due, target, strict=strict) + 1, due)


def _fails(objective: Objective, failures: int, due: int) -> str:
    if failures > due or objective.name:
        return ""
    return f"{failures:,} bad of about {due:,}"


def _about(count: int) -> int:
    """Rounded up to two digits: more would pretend."""
    step = int(10 ** max(0, int(math.log10(max(count, 1))) - 1))
    return int(math.ceil(count / step) * step)


# ---------------------------------------------------------------- everything else


def _recovery(objective: Objective) -> tuple[str, str]:
    held = objective.stable_s or WINDOW_S
    limit = wording.seconds(objective.limit)
    prove = f"recovered within {limit}, and held for {wording.seconds(held)}"
    return prove, f"not recovered after {limit}"


def _whole_window(objective: Objective, span_s: float) -> str:
    length = wording.duration(max(span_s, 0.0))
    if objective.slice_s:
        slices = fewest(objective.slices) if objective.slices else 1
        needed = wording.duration(slices * objective.slice_s)
        return f"from {slices:,} slices on, {needed}; the window has {length}"
    if objective.than and objective.indicator == "latency":
        least = bounding(objective.quantile)
        return f"from {least:,} requests in each window on, by how much they differ"
    return f"the whole window, {length}"
