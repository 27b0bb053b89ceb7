"""What each fault cost its users: how soon, how many, how long, and of which error budget.

Counted by when requests were due, from the inject to the next fault or the end of the run. A bad
request failed or missed a level of being served well; a bad second is one in which too many were.
Lost goodput are the good answers that there would have been at the baseline's share of failures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.experiment.model import Objective
from harness.measure import changepoint
from harness.measure.evidence import Evidence
from harness.measure.indicators import availability
from harness.measure.passages import Passage
from harness.measure.recovery import Level, Recovery, levels
from harness.measure.requests import Ints
from harness.measure.tally import STEP_S, Tally, tally

DAYS = 30
DAY_S = 86_400.0
#: The target of a budget where no objective says one.
TARGET = 0.999
#: The event rule and the change points may differ by so much.
DISAGREE_S = 1.0
_SLICE = round(1 / STEP_S)


@dataclass(frozen=True)
class Budget:
    """`share` of the failures that `target` leaves in 30 days at the rate of this run. `most` such
    faults fit into them; None: this one burnt nothing.
    """

    target: float
    share: float
    most: int | None


@dataclass(frozen=True)
class Impact:
    """`after_s` is from the inject to the first bad request, None: there was none. `healed_s` is
    from the removal (of an event: the act) to when users were served well again, negative when
    that came first; None: not known, or never impacted. `changed_s` is the same by change points.
    `by_itself`: so long before the removal that the answers came before it, too.
    """

    intervention: str
    after_s: float | None
    bad: int
    failed: int
    count: int
    bad_seconds: int
    lost: float
    healed_s: float | None
    changed_s: float | None
    by_itself: bool
    recovered: bool
    budget: Budget

    @property
    def disagrees(self) -> bool:
        """The cross-check found another recovery: look at the timeline before believing either."""
        if self.healed_s is None or self.changed_s is None:
            return False
        return abs(self.healed_s - self.changed_s) > DISAGREE_S


def impacts(evidence: Evidence) -> tuple[Impact, ...]:
    """One for each fault that began, in the order of their beginning."""
    recoveries = {r.intervention: r for r in evidence.windows.recoveries if not r.while_on}
    return tuple(
        _impact(evidence, passage, recoveries.get(passage.id))
        for passage in evidence.windows.passages
    )


def _impact(evidence: Evidence, passage: Passage, recovery: Recovery | None) -> Impact:
    wanted = levels(evidence.plan.objectives)
    end_s = recovery.until_s if recovery else evidence.windows.end_s
    counted = tally(evidence.observation.requests, wanted, passage.begun, end_s)
    failed, healed_s = int(counted.failed.sum()), _healed(recovery)
    return Impact(
        passage.id,
        after_s=_after(counted, passage), bad=int(counted.bad.sum()), failed=failed,
        count=counted.count, bad_seconds=bad_seconds(counted, wanted),
        lost=max(0.0, failed - counted.count * _usual_failures(evidence)),
        healed_s=healed_s, changed_s=_changed(recovery, counted, wanted),
        by_itself=healed_s is not None and healed_s < -_longest_answer_s(evidence),
        recovered=recovery is None or recovery.how != "not recovered",
        budget=budget(failed, counted.count, end_s - passage.begun, evidence.plan.objectives),
    )  # fmt: skip


def _after(counted: Tally, passage: Passage) -> float | None:
    """From when the inject was done; what was hit while it was being made counts as at once."""
    if counted.first_bad_s is None:
        return None
    done = passage.begun if passage.injected is None else passage.injected
    return max(0.0, counted.first_bad_s - done)


def bad_seconds(counted: Tally, wanted: Sequence[Level]) -> int:
    """Whole seconds from the inject on in which more were bad than one of the levels allows."""
    due = _per_second(counted.due)
    bad = np.zeros(len(due), bool)
    for missed, level in zip(counted.missed, wanted, strict=True):
        bad |= _per_second(missed) > (1 - level.share) * due + 1e-9
    return int(np.count_nonzero(bad))


def _per_second(counts: Ints) -> Ints:
    return np.asarray(np.add.reduceat(counts, np.arange(0, len(counts), _SLICE)), np.int64)


def _usual_failures(evidence: Evidence) -> float:
    before = evidence.windows.baseline.choose(evidence.observation.requests)
    return 1 - availability(before) if len(before) else 0.0


def _healed(recovery: Recovery | None) -> float | None:
    if recovery is None or recovery.how not in ("recovered", "at once"):
        return None
    served = recovery.served_s
    return None if served is None else served - recovery.from_s


def _longest_answer_s(evidence: Evidence) -> float:
    """A good one's, at most; without a timeout nothing bounds it."""
    timeout_s = evidence.observation.timeout_s
    return timeout_s or float("inf")


def _changed(recovery: Recovery | None, counted: Tally, wanted: Sequence[Level]) -> float | None:
    if recovery is None:
        return None
    at = changepoint.recovered_s(counted, 1 - min(level.share for level in wanted))
    return None if at is None else at - recovery.from_s


def budget(failed: int, count: int, span_s: float, objectives: Iterable[Objective]) -> Budget:
    """What so many failures of a span are of all that the target leaves in 30 days."""
    target = _target(objectives)
    failed_s = span_s * failed / count if count else 0.0
    share = failed_s / (DAYS * DAY_S * (1 - target))
    return Budget(target, share, int(1 / share) if share else None)


def _target(objectives: Iterable[Objective]) -> float:
    """The strictest target of those that hold for all requests without a fault."""
    plain = [
        o for o in objectives
        if not (o.name or o.journeys or o.window in ("during", "while") or o.than)
    ]  # fmt: skip
    targets = [o.limit for o in plain if o.indicator == "availability"]
    targets += [1 - o.limit for o in plain if o.indicator == "errors"]
    return max((round(t, 12) for t in targets if 0 < t < 1), default=TARGET)
