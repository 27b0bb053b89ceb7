"""Where a run stands: what time it is, and in which state each effect. What changes them is told
in `lives` (the states) and in `engine` (the phases).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.record.plan import Plan, PlannedEffect
from harness.run.lifecycle import ENDED, Abort, State

LEAD_S = 2.0  #: how long before an inject its `before` look begins
_UNDER_WAY = frozenset(State) - ENDED - {State.PLANNED, State.HELD}


@dataclass
class Life:
    """One effect on its way through the states."""

    plan: PlannedEffect
    state: State = State.PLANNED
    injected: float = 0.0
    order: int = 0
    looks: int = 0
    looking: bool = False
    seen_generation: int = 0  #: of its resource, when the snapshot was asked for
    next_look: float = 0.0
    witnessed: bool = False
    reverts: int = 0
    checks: int = 0
    until: float = 0.0  #: of a newcomer: when the effect that it follows was to end

    @property
    def ends(self) -> float:
        """When it is to be taken back, once it is on."""
        return self.until or self.injected + self.plan.lasts


class Timeline:
    def __init__(self, plan: Plan) -> None:
        self.lives = {effect.id: Life(effect) for effect in plan.effects}
        self.passed = -plan.warmup  #: seconds on the clock
        self.ahead = 0.0  #: how far the timeline is ahead of the clock: phases that ended early
        self.aborted: Abort | None = None

    @property
    def now(self) -> float:
        """Where on the plan's timeline we are."""
        return self.passed + self.ahead

    def prepares(self) -> list[Life]:
        """Those that are made before the baseline."""
        return [life for life in self.lives.values() if life.plan.prepare]

    def those(self, *states: State) -> list[Life]:
        """The others, in one of these states."""
        return [e for e in self.lives.values() if e.state in states and not e.plan.prepare]

    def before_due(self) -> list[Life]:
        """Those to be looked at now, so that they can begin in time."""
        return [e for e in self.those(State.PLANNED) if self.now >= e.plan.at - LEAD_S]

    def next_at(self) -> float | None:
        """When the next effect begins or ends; infinity when there is none, None where that may
        not be hurried: a fault counts only once it was seen.
        """
        planned, held = self.those(State.PLANNED), self.those(State.HELD)
        if self.those(*_UNDER_WAY) or not all(life.witnessed for life in held):
            return None
        begins = [life.plan.at - LEAD_S for life in planned]
        ends = [life.ends for life in held]
        return min([*begins, *ends], default=math.inf)
