"""`run --until-decided`: whether all that a phase of the run is for has been decided already.

Looks at the load as it goes on, with sequential tests that allow for it. Requests count once all
that were due before them must have ended, since those that hang would count too late. An objective
that only its whole window can decide (recovery, throughput, comparisons) is not decided early, and
neither is a fault cut short while something is to be judged after it: it lasts as the file says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from harness.clock import SECOND, Epoch
from harness.experiment.indicators import ELSEWHERE
from harness.experiment.model import Objective
from harness.load.recording import ROW, Rows
from harness.measure.claims import Count, fewest
from harness.measure.indicators import counted
from harness.measure.observation import Box, Observation
from harness.measure.sequential import decide
from harness.record.plan import Plan
from harness.run.lifecycle import Decided


@dataclass(frozen=True)
class _Phase:
    """Where in the run a moment lies: faults that are `active`, and all that have `begun`."""

    active: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.active:
            return f"during {', '.join(self.active)}"
        return "after the fault" if self.begun else "before any fault"


class Deciding:
    """`feed` it with what is new; it answers once there is no need to go on with a phase."""

    def __init__(self, plan: Plan, epoch: Epoch) -> None:
        self._plan = plan
        self._epoch = epoch
        self._timeout_s = plan.load.timeout if plan.load else 0.0
        self._events = {effect.intervention for effect in plan.effects if effect.event}
        self._waiting: Rows = np.empty(0, ROW)
        self._counts = {o: Count(0, 0, 0.0) for o in plan.objectives if _is_counted(o)}
        self._phase = _Phase()
        self._gone: dict[str, float] = {}

    def feed(
        self, rows: Rows, names: tuple[str, ...], now: float, active: tuple[str, ...]
    ) -> Decided | None:
        """New rows and the faults that are on; what to end early, or None."""
        self._pass_to(active, now)
        ripe = self._ripe(rows, now)
        if len(ripe):
            self._count(Observation(ripe, names, self._epoch, self._timeout_s))
        spoken = [o for o in self._plan.objectives if self._speaks_of(o)]
        decisive = [o for o in spoken if o in self._counts]
        if not decisive or not all(o.indicator in ELSEWHERE or self._decided(o) for o in spoken):
            return None
        return Decided(str(self._phase), tuple(self._says(o) for o in decisive))

    def _pass_to(self, active: tuple[str, ...], now: float) -> None:
        for ended in set(self._phase.active) - set(active):
            self._gone.setdefault(ended, now)
        begun = tuple(dict.fromkeys((*self._phase.begun, *active)))
        self._phase = _Phase(active, begun)

    def _ripe(self, rows: Rows, now: float) -> Rows:
        """The rows of which all that were due before must have ended."""
        together = np.concatenate([self._waiting, rows])
        until = self._epoch.mono_ns + int((now - self._timeout_s) * SECOND)
        ripe = together["intended"] <= until
        self._waiting = together[~ripe]
        return together[ripe]

    def _count(self, seen: Observation) -> None:
        for objective, before in self._counts.items():
            box = self._box(objective)
            if box is None:
                continue
            named = seen.of(objective.name, journeys=objective.journeys)
            new = counted(objective, named.within(box))
            self._counts[objective] = replace(
                new, good=before.good + new.good, count=before.count + new.count
            )

    def _box(self, objective: Objective) -> Box | None:
        """Which of the new requests an objective speaks of; None: it does not of any."""
        begun, ids = self._phase.begun, self._of(objective)
        match objective.window:
            case "baseline":
                return None if begun else Box(due_from=0.0)
            case "":
                return Box(due_from=0.0) if begun or not self._plan.interventions else None
            case "during":
                on = set(self._phase.active) | (self._events & set(begun))
                return Box(due_from=0.0) if on & ids else None
        gone = [self._gone[id] for id in ids if id in self._gone]
        return Box(due_from=min(gone)) if gone else None

    def _speaks_of(self, objective: Objective) -> bool:
        """Whether this phase serves an objective, now or by what it leaves behind."""
        faults = bool(self._plan.interventions)
        if not self._phase.begun:
            return "baseline" in (objective.window, objective.than) or not faults
        if objective.window == "baseline":
            return False
        concerned = set(self._phase.active or self._phase.begun)
        return not objective.window or bool(self._of(objective) & concerned)

    def _of(self, objective: Objective) -> set[str]:
        return {objective.window_id} if objective.window_id else set(self._plan.interventions)

    def _decided(self, objective: Objective) -> bool:
        count = self._counts.get(objective)
        if count is None or not count.count:
            return False
        if not objective.confidence and count.count < fewest(count.target, strict=count.strict):
            return False
        return decide(count.failures, count.count, count.target) != "inconclusive"

    def _says(self, objective: Objective) -> str:
        count = self._counts[objective]
        return f"{objective.text} ({count.good:,} of {count.count:,} good)"


def _is_counted(objective: Objective) -> bool:
    return objective.counts and objective.indicator != "throughput"


def decisive(objectives: Iterable[Objective]) -> bool:
    """Whether any of them could be decided before its window is over."""
    return any(map(_is_counted, objectives))
