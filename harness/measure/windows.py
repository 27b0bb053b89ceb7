"""Which requests an objective speaks of: spans of a run, cut by what happened in it.

A request lives from when it was due to when it ended. `baseline` has the lives that ended before
the first fault began, `during` those that touch a fault, `after` those that were due once it was
gone. The warm-up is in none. For an event `during` lasts until the users were served well again for
the length of a recovery window, or to the end of the run when they never suffered or still do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.experiment.model import Objective
from harness.measure.observation import Box, Observation, Requests, before
from harness.measure.passages import Passage, end_of_load, passages
from harness.measure.recovery import Level, Recovery, Span, levels, recover, stable_s
from harness.record.journal import Step
from harness.record.plan import Plan

Kind = Literal["baseline", "during", "after", "whole"]


@dataclass(frozen=True)
class Window:
    """A span of the run, in seconds since the epoch; `name` as reports print it."""

    kind: Kind
    name: str
    start_s: float
    end_s: float
    intervention: str = ""

    @property
    def span_s(self) -> float:
        return max(0.0, self.end_s - self.start_s)

    def choose(self, requests: Requests) -> Requests:
        return requests.within(self.box)

    @property
    def ended(self) -> Box:
        """What it delivered, whenever that was due after the warm-up."""
        return Box(due_from=0.0, ended_from=self.start_s, ended_to=self.end_s)

    @property
    def box(self) -> Box:
        """The warm-up is in no window."""
        match self.kind:
            case "baseline":
                return Box(due_from=0.0, ended_to=before(self.end_s))
            case "after":
                return Box(due_from=max(0.0, self.start_s), due_to=self.end_s)
        return Box(due_from=0.0, due_to=self.end_s, ended_from=self.start_s)


@dataclass(frozen=True)
class Windows:
    """All windows of a run. `recoveries` are after and, for conditions, while each fault."""

    end_s: float
    passages: tuple[Passage, ...]
    recoveries: tuple[Recovery, ...]
    whole: Window
    baseline: Window
    faults: tuple[Window, ...]

    @property
    def all(self) -> tuple[Window, ...]:
        """Those that a report lists, in the order of time."""
        return (self.baseline, *self.faults) if self.passages else (self.whole,)

    def of(self, objective: Objective) -> tuple[Window, ...]:
        """The windows in which this objective must hold, each for itself; none: the intervention
        never began.
        """
        match objective.window:
            case "":
                return (self.whole,)
            case "baseline":
                return (self.baseline,)
        return tuple(
            w for w in self.faults
            if w.kind == objective.window and objective.window_id in ("", w.intervention)
        )  # fmt: skip

    def recoveries_of(self, objective: Objective) -> tuple[Recovery, ...]:
        """Those that a recovery objective speaks of."""
        return tuple(
            r for r in self.recoveries
            if r.while_on == (objective.window == "while")
            and objective.window_id in ("", r.intervention)
        )  # fmt: skip


def windows_of(plan: Plan, steps: Iterable[Step], observation: Observation) -> Windows:
    """Cut a run. What well served means, for recovery, comes from the plan's objectives."""
    steps = tuple(steps)
    found = passages(plan, steps, observation.epoch)
    end = _end(plan, steps, observation)
    after, during = levels(plan.objectives), levels(plan.objectives, while_on=True)
    for_s = stable_s(plan.objectives)
    recoveries = (
        *_after(observation, found, end, after, for_s), *_while(observation, found, during, for_s)
    )  # fmt: skip
    first = found[0].begun if found else end
    whole = ("from the first fault", first) if found else ("whole run", 0.0)
    return Windows(
        end, found, recoveries,
        whole=Window("whole", whole[0], whole[1], end),
        baseline=Window("baseline", "baseline", 0.0, first) if found
        else Window("whole", "baseline", 0.0, end),
        faults=tuple(w for p in found for w in _windows(p, recoveries, end)),
    )  # fmt: skip


def _end(plan: Plan, steps: tuple[Step, ...], observation: Observation) -> float:
    end = end_of_load(plan, steps, observation.epoch)
    cut = end < plan.duration or any(step.step == "abort" for step in steps)
    if not cut or not len(observation.requests):
        return end
    return min(end, observation.requests.last_due)


def _after(
    observation: Observation, found: tuple[Passage, ...], end: float, wanted: tuple[Level, ...],
    for_s: float,
) -> list[Recovery]:  # fmt: skip
    """From the act of an event or the removal of a condition until the next fault begins."""
    recoveries = []
    for passage in found:
        start = passage.begun if passage.event else passage.gone
        if start is not None and start < end:
            horizon = min(
                (p.begun for p in found if p.begun > max(start, passage.begun)), default=end
            )
            span = Span(passage.id, passage.begun, start, horizon)
            recoveries.append(recover(observation.requests, wanted, span, for_s))
    return recoveries


def _while(
    observation: Observation, found: tuple[Passage, ...], wanted: tuple[Level, ...], for_s: float
) -> list[Recovery]:
    """Self-healing: from the witnessed inject of a condition until it is taken back."""
    spans = (
        Span(p.id, p.begun, p.witnessed, p.reverting, True)
        for p in found
        if not p.event and p.witnessed is not None and p.reverting is not None
    )
    return [recover(observation.requests, wanted, span, for_s) for span in spans]


def _windows(passage: Passage, recoveries: tuple[Recovery, ...], end: float) -> tuple[Window, ...]:
    after = next((r for r in recoveries if r.intervention == passage.id and not r.while_on), None)
    gone, due = _ends(passage, after, end)
    parts = [Window("during", f"during {passage.id}", passage.begun, gone, passage.id)]
    if due is not None:
        parts.append(Window("after", f"after {passage.id}", min(due, end), end, passage.id))
    return tuple(parts)


def _ends(passage: Passage, after: Recovery | None, end: float) -> tuple[float, float | None]:
    """When `during` ends, and from which due time on a request is `after`."""
    if not passage.event:
        return min(end, end if passage.gone is None else passage.gone), passage.gone
    if after is None or after.at_s is None:
        return end, None
    healed = after.at_s + after.window_s if after.how in ("recovered", "at once") else end
    return min(end, healed), after.at_s
