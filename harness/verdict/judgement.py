"""One objective judged in one window: what is claimed, what decides it, and what it shows.

A claim about this run is decided by counting. A claim in general (`at 95%`) is decided by bounds:
PASS where they prove it, FAIL where they refute it, INCONCLUSIVE between. Where no amount of luck
could have told, it is INCONCLUSIVE too, with how many more requests it takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.experiment.model import Objective
from harness.measure import statistics
from harness.measure.claims import Count, Decision, fewest, in_general, of_this_run
from harness.measure.indicators import UNITS, counted, holds, throughput, value_of
from harness.measure.observation import Observation, Requests
from harness.measure.recovery import WINDOW_S, Recovery
from harness.measure.windows import Window, Windows
from harness.verdict import wording


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


@dataclass(frozen=True)
class _Found:
    """What judging an indicator comes to, before it is put into a `Judgement`."""

    verdict: Decision
    value: float | None
    says: str
    good: int = 0
    count: int = 0
    needed: int = 0
    low: float | None = None
    high: float | None = None
    proves: str = ""


def judge(
    objective: Objective, observation: Observation, windows: Windows
) -> tuple[Judgement, ...]:
    """One judgement for each window in which the objective must hold; at least one."""
    if objective.indicator == "recovery":
        made = [_recovery(objective, r) for r in windows.recoveries_of(objective)]
    else:
        made = [_in_window(objective, observation, w, windows) for w in windows.of(objective)]
    return tuple(made) or (_never(objective),)


def _in_window(
    objective: Objective, observation: Observation, window: Window, windows: Windows
) -> Judgement:
    named = observation.of(objective.name, journeys=objective.journeys)
    if objective.indicator == "throughput":
        found = _throughput(objective, named, window)
    else:
        one_fault = bool(windows.passages) and window.kind != "baseline"
        found = _count(objective, window.choose(named), one_fault=one_fault)
    if not found.count:
        found = _empty(objective, observation, found)
    return _judgement(objective, window.name, window.start_s, window.end_s, found)


def _judgement(
    objective: Objective, window: str, start_s: float, end_s: float, found: _Found
) -> Judgement:
    return Judgement(
        objective.text, window, start_s, end_s, "general" if objective.confidence else "run",
        found.verdict, found.value, found.low, found.high, UNITS[objective.indicator],
        found.good, found.count, found.needed, _confidence(objective), found.proves, found.says,
        objective.indicator, objective.limit, objective.severity, objective.line,
    )  # fmt: skip


def _confidence(objective: Objective) -> float:
    return objective.confidence or statistics.CONFIDENCE


# ---------------------------------------------------------------- shares and quantiles


def _count(objective: Objective, requests: Requests, *, one_fault: bool) -> _Found:
    count = counted(objective, requests)
    if objective.confidence:
        verdict, needed = in_general(count, objective.confidence)
        why = wording.bounded(objective, count, verdict, needed)
    else:
        verdict, needed = of_this_run(count)
        why = wording.decided(count, verdict, needed)
    if not count.count:
        return _Found(verdict, None, "", needed=needed)
    low, high = _bounds(objective, count, requests)
    return _Found(
        verdict, value_of(objective, requests, 0.0),
        wording.sentence(wording.what_happened(objective, count, requests), why),
        count.good, count.count, needed, low, high,
        _proves(objective, low, high) + (", for this one fault only" if one_fault else ""),
    )  # fmt: skip


def _bounds(objective: Objective, count: Count, requests: Requests) -> tuple[float, float]:
    confidence = _confidence(objective)
    if objective.indicator == "latency":
        latency, q = requests.latency, objective.quantile
        low = statistics.quantile_low(latency, q, confidence)
        return low, statistics.quantile_high(latency, q, confidence)
    low = statistics.share_low(count.good, count.count, confidence)
    high = statistics.share_high(count.good, count.count, confidence)
    return (low, high) if objective.indicator == "availability" else (1 - high, 1 - low)


def _proves(objective: Objective, low: float, high: float) -> str:
    at = f"at {wording.percent(_confidence(objective))}"
    match objective.indicator:
        case "availability":
            return f"proves {wording.percent(low)} {at}"
        case "errors":
            return f"proves at most {wording.percent(high, up=True)} {at}"
    name = wording.quantile_name(objective.quantile)
    if math.isfinite(high):
        return f"proves {name} of at most {wording.seconds(high)} {at}"
    return f"proves no bound of {name} {at}"


# ---------------------------------------------------------------- throughput


def _throughput(objective: Objective, named: Requests, window: Window) -> _Found:
    """Successes by when they ended: what the window delivered, whenever it was asked for."""
    in_time = (named.ended >= window.start_s) & (named.ended <= window.end_s)
    inside = named.where(in_time & (named.due >= 0))
    value = throughput(inside, window.span_s)
    if math.isnan(value) or not len(window.choose(named)):
        return _Found("inconclusive", None, "", needed=1)
    good = int(np.count_nonzero(inside.good))
    fact = f"{good:,} good {wording.noun(objective)} in {wording.seconds(window.span_s)}"
    verdict: Decision = "pass" if holds(objective, value) else "fail"
    count = max(len(inside), 1)
    return _Found(verdict, value, wording.sentence(f"{wording.rate(value)}, {fact}"), good, count)


# ---------------------------------------------------------------- recovery


def _recovery(objective: Objective, recovery: Recovery) -> Judgement:
    verdict = _recovered_in_time(objective, recovery)
    says = recovery.says
    if verdict == "inconclusive":
        says += "; it takes more time to settle than this run had"
    found = _Found(
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


def _empty(objective: Objective, observation: Observation, found: _Found) -> _Found:
    everything = observation.journeys if objective.journeys else observation.requests
    names = observation.names_of(everything)
    says = f"no {wording.noun(objective)} in this window"
    if objective.name and objective.name not in names:
        listed = ", ".join(names[:8]) or "none"
        says = f"no {wording.noun(objective)} at all; there were: {listed}"
    return _Found("inconclusive", None, wording.sentence(says), needed=max(1, found.needed))


def _never(objective: Objective) -> Judgement:
    what = objective.window_id or "any fault"
    says = f"there was no time {objective.window} {what} in this run"
    least = 1 if objective.indicator in ("recovery", "throughput") else _least(objective)
    found = _Found("inconclusive", None, wording.sentence(says), needed=least)
    return _judgement(objective, f"{objective.window} {objective.window_id}".strip(), 0, 0, found)


def _least(objective: Objective) -> int:
    limit = objective.quantile or objective.limit
    return fewest(1 - limit if objective.indicator == "errors" else limit)
