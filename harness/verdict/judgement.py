"""One objective judged: the windows that it speaks of, and what decides it in each.

A claim about this run is decided by counting. A claim in general (`at 95%`) is decided by bounds:
PASS where they prove it, FAIL where they refute it, INCONCLUSIVE between. Where no amount of luck
could have told, it is INCONCLUSIVE too, with how many more requests it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.experiment.indicators import ELSEWHERE
from harness.experiment.model import Objective
from harness.measure.claims import Decision, fewest
from harness.measure.indicators import UNITS, holds
from harness.measure.observation import Observation
from harness.measure.recovery import WINDOW_S, Recovery
from harness.measure.resources import Resources
from harness.measure.windows import Window, Windows
from harness.verdict import wording
from harness.verdict.comparison import judge_comparison, windows_compared
from harness.verdict.counting import confidence_of, judge_count, judge_throughput
from harness.verdict.found import Found, Scene
from harness.verdict.slices import judge_slices
from harness.verdict.usage import judge_memory


@dataclass(frozen=True)
class Judgement:
    """`value` in `unit` (s, share, /s); None: nothing was measured; infinite: lies beyond the
    failures. `low` and `high` are each a one-sided bound at `confidence`, None where there is
    none. `good` of `count` requests were as the objective wants them. `proves`: what that shows
    beyond this run. `says`: the verdict as a sentence.
    """

    text: str
    window: str
    start_s: float
    end_s: float
    claim: Literal["run", "general"]
    verdict: Decision
    value: float | None
    low: float | None
    high: float | None
    unit: str
    good: int
    count: int
    needed: int
    confidence: float
    proves: str
    says: str
    indicator: str
    limit: float
    severity: str
    line: int


def judge(
    objective: Objective, observation: Observation, windows: Windows,
    resources: Resources | None = None, *, sequential: bool = False,
    early_s: tuple[float, ...] = (),
) -> tuple[Judgement, ...]:  # fmt: skip
    """One judgement for each window in which the objective must hold; at least one."""
    scene = Scene(observation, windows, resources or Resources(), sequential, early_s)
    if objective.indicator in ELSEWHERE:
        return (_elsewhere(objective, windows.whole),)
    if objective.indicator == "recovery":
        made = [_recovery(objective, r) for r in windows.recoveries_of(objective)]
    elif objective.than:
        made = list(_compared(objective, scene))
    else:
        made = [_in_window(objective, scene, window) for window in windows.of(objective)]
    return tuple(made) or (_never(objective),)


def _in_window(objective: Objective, scene: Scene, window: Window) -> Judgement:
    found = _judge_of(objective)(objective, scene, window)
    return _judgement(objective, window.name, window.start_s, window.end_s, found)


def _judge_of(objective: Objective) -> Callable[[Objective, Scene, Window], Found]:
    if objective.slice_s:
        return judge_slices
    return {"throughput": judge_throughput, "memory": judge_memory}.get(
        objective.indicator, judge_count
    )


def _compared(objective: Objective, scene: Scene) -> Iterator[Judgement]:
    for here, there in windows_compared(objective, scene):
        found = judge_comparison(objective, scene, here, there)
        name = f"{here.name} against {there.name}"
        yield _judgement(objective, name, here.start_s, here.end_s, found)


def _judgement(
    objective: Objective, window: str, start_s: float, end_s: float, found: Found
) -> Judgement:
    return Judgement(
        objective.text, window, start_s, end_s, "general" if objective.confidence else "run",
        found.verdict, found.value, found.low, found.high, _unit(objective),
        found.good, found.count, found.needed, confidence_of(objective), found.proves, found.says,
        objective.indicator, objective.limit if found.limit is None else found.limit,
        objective.severity, objective.line,
    )  # fmt: skip


def _unit(objective: Objective) -> str:
    """Slices are counted as a share of slices, whatever they are slices of."""
    return "share" if objective.slice_s else UNITS[objective.indicator]


# ---------------------------------------------------------------- recovery


def _recovery(objective: Objective, recovery: Recovery) -> Judgement:
    verdict = _recovered_in_time(objective, recovery)
    says = recovery.says
    if verdict == "inconclusive":
        says += "; it takes more time to settle than this run had"
    found = Found(
        verdict, recovery.took_s, wording.sentence(says), recovery.count - recovery.bad,
        recovery.count, _still_needed(objective, recovery) if verdict == "inconclusive" else 0,
        low=recovery.low_s if recovery.took_s is None else None,
    )  # fmt: skip
    name = f"{'while' if recovery.while_on else 'after'} {recovery.intervention}"
    return _judgement(objective, name, recovery.from_s, recovery.until_s, found)


def _recovered_in_time(objective: Objective, recovery: Recovery) -> Decision:
    if recovery.took_s is not None:
        return "pass" if holds(objective, recovery.took_s) else "fail"
    if recovery.how == "not recovered" and not holds(objective, recovery.low_s):
        return "fail"
    return "inconclusive"


def _still_needed(objective: Objective, recovery: Recovery) -> int:
    """Requests at the rate that there was, until bound and recovery window would have passed."""
    seen_s = recovery.until_s - recovery.from_s
    missing_s = objective.limit + WINDOW_S - seen_s
    return max(1, math.ceil(missing_s * recovery.count / seen_s)) if seen_s > 0 else 1


# ---------------------------------------------------------------- nothing to judge


def _elsewhere(objective: Objective, window: Window) -> Judgement:
    """What no load can measure is not passed, and not failed either."""
    says = f"not measured by this experiment; it takes {ELSEWHERE[objective.indicator]}"
    found = Found("inconclusive", None, wording.sentence(says))
    return _judgement(objective, "not measured", window.start_s, window.end_s, found)


def _never(objective: Objective) -> Judgement:
    what = objective.window_id or "any fault"
    says = f"there was no time {objective.window} {what} in this run"
    least = 1 if objective.indicator in _TIMED else _least(objective)
    found = Found("inconclusive", None, wording.sentence(says), needed=least)
    return _judgement(objective, f"{objective.window} {objective.window_id}".strip(), 0, 0, found)


_TIMED = ("recovery", "throughput", "memory")


def _least(objective: Objective) -> int:
    limit = objective.quantile or objective.limit
    return fewest(1 - limit if objective.indicator == "errors" else limit)
