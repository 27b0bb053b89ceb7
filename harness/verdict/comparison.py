"""Objectives that compare two windows of the same run: `p99 during slow-db < 2x baseline`.

Chance alone makes two windows differ, so such a line is decided only where the difference is more
than that: PASS and FAIL are each wrong with a chance of at most 5 %. A quantile takes two tests
that must agree: the bootstrap interval of the difference, and Fisher's count of what was slower.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from harness.experiment.model import Objective
from harness.measure import comparing, statistics
from harness.measure.claims import Decision
from harness.measure.comparing import DOUBT, Interval
from harness.measure.indicators import UNITS, value_of
from harness.measure.observation import Requests
from harness.measure.windows import Window
from harness.verdict import usage, wording
from harness.verdict.counting import delivered
from harness.verdict.found import Found, Scene, absolute, nothing

#: No more requests than so many times those that there were are thought of.
_MOST_TIMES = 1 << 10


def windows_compared(objective: Objective, scene: Scene) -> Iterator[tuple[Window, Window]]:
    """Each window of an objective with each that it is compared with."""
    there = dataclasses.replace(objective, window=objective.than, window_id=objective.than_id)
    others = scene.windows.of(there)
    return ((here, o) for here in scene.windows.of(objective) for o in others if here != o)


def judge_comparison(objective: Objective, scene: Scene, here: Window, there: Window) -> Found:
    if objective.indicator == "memory":
        return usage.compare_memory(objective, scene, here, there)
    named = scene.named(objective)
    ours, theirs = here.choose(named), there.choose(named)
    for requests, window in ((ours, here), (theirs, there)):
        if not len(requests):
            return nothing(objective, scene, window.name)
    if objective.indicator == "latency":
        return _quantiles(objective, ours, theirs, there.name)
    if objective.indicator == "throughput":
        return _rates(objective, (delivered(named, here), here), (delivered(named, there), there))
    return _shares(objective, ours, theirs, there.name)


# ---------------------------------------------------------------- quantiles


def _quantiles(objective: Objective, here: Requests, there: Requests, name: str) -> Found:
    q = objective.quantile
    value, other = (value_of(objective, r, 0.0) for r in (here, there))
    limit = absolute(objective, other)
    for requests in (here, there):
        if (lacking := statistics.bounding(q) - len(requests)) > 0:
            return _too_few(objective, value, limit, lacking, len(requests))
    interval = comparing.quantile_difference(
        here.latencies, there.latencies, q, objective.factor, objective.limit
    )
    slow = (len(here) - here.latencies.below(limit, strict=False), len(here))
    slower = (len(there) - statistics.rank_of(len(there), q), len(there))
    verdict = _agreed(interval, slow, slower)
    needed = _needed(slow, slower) if verdict == "inconclusive" else 0
    low, high = (
        bound(here.latencies, q) for bound in (statistics.quantile_low, statistics.quantile_high)
    )
    return _found(objective, verdict, value, other, limit, name, (len(here) - slow[0], len(here)),
                  needed, (low, high))  # fmt: skip


def _agreed(interval: Interval, slow: tuple[int, int], slower: tuple[int, int]) -> Decision:
    if interval.negative and comparing.fisher_fewer(slow, slower) < DOUBT:
        return "pass"
    if interval.positive and comparing.fisher_more(slow, slower) < DOUBT:
        return "fail"
    return "inconclusive"


def _needed(here: tuple[int, int], there: tuple[int, int]) -> int:
    """How many more requests would decide, if all went on as it was; 0: no number would."""
    tail = comparing.fisher_fewer if here[0] / here[1] < there[0] / there[1] else (
        comparing.fisher_more
    )  # fmt: skip
    times = 1.1
    while times < _MOST_TIMES:
        scaled = [(round(k * times), round(n * times)) for k, n in (here, there)]
        if tail(*scaled) < DOUBT:
            return math.ceil((times - 1) * here[1])
        times *= 1.1
    return 0


def _too_few(objective: Objective, value: float, limit: float, lacking: int, count: int) -> Found:
    name = wording.quantile_name(objective.quantile)
    says = (
        f"{count:,} {wording.noun(objective)} are too few to tell a {name} from chance",
        f"{lacking:,} more needed",
    )
    return Found("inconclusive", value, wording.sentence(*says), 0, count, lacking, limit=limit)


# ---------------------------------------------------------------- shares and rates


def _shares(objective: Objective, here: Requests, there: Requests, name: str) -> Found:
    value, other = (value_of(objective, r, 0.0) for r in (here, there))
    ours, theirs = ((_hits(objective, r), len(r)) for r in (here, there))
    interval = comparing.share_difference(ours, theirs, objective.factor, objective.limit)
    verdict = _decided(objective, interval)
    limit = absolute(objective, other)
    if verdict == "inconclusive" and here.good_count == len(here):
        return _none_failed(objective, value, limit, len(here))
    return _found(objective, verdict, value, other, limit, name, (here.good_count, len(here)),
                  _more(interval, len(here)) if verdict == "inconclusive" else 0)  # fmt: skip


def _hits(objective: Objective, requests: Requests) -> int:
    good = requests.good_count
    return good if objective.indicator == "availability" else len(requests) - good


def _decided(objective: Objective, interval: Interval) -> Decision:
    higher = objective.op in (">", ">=")
    if interval.positive:
        return "pass" if higher else "fail"
    if interval.negative:
        return "fail" if higher else "pass"
    return "inconclusive"


def _more(interval: Interval, count: int) -> int:
    """The width shrinks with the root of the number; 0: no number would decide."""
    middle, half = (interval.low + interval.high) / 2, (interval.high - interval.low) / 2
    times = (half / middle) ** 2 if middle else math.inf
    return math.ceil((times - 1) * count) if 1 < times < _MOST_TIMES else int(times <= 1)


def _none_failed(objective: Objective, value: float, limit: float, count: int) -> Found:
    says = (
        f"none of {count:,} {wording.noun(objective)} failed, which compares with nothing",
        "a number as the limit could be decided",
    )
    return Found("inconclusive", value, wording.sentence(*says), count, count, limit=limit)


def _rates(
    objective: Objective, here: tuple[Requests, Window], there: tuple[Requests, Window]
) -> Found:
    ours, theirs = ((r.good_count, w.span_s) for r, w in (here, there))
    if not (ours[1] and theirs[1]):
        return Found("inconclusive", None, "A window of no length has no rate.", needed=1)
    interval = comparing.rate_difference(ours, theirs, objective.factor, objective.limit)
    value, other = ours[0] / ours[1], theirs[0] / theirs[1]
    verdict, count = _decided(objective, interval), len(here[0])
    needed = _more(interval, count) if verdict == "inconclusive" else 0
    return _found(objective, verdict, value, other, absolute(objective, other), there[1].name,
                  (ours[0], count), needed)  # fmt: skip


def _found(
    objective: Objective, verdict: Decision, value: float, other: float, limit: float, name: str,
    counts: tuple[int, int], needed: int, between: tuple[float | None, float | None] = (None, None),
) -> Found:  # fmt: skip
    unit = UNITS[objective.indicator]
    fact = (
        f"{wording.indicator(objective)} was {wording.quantity(value, unit)}, "
        f"{wording.quantity(other, unit)} in {name}: the limit is {wording.quantity(limit, unit)}"
    )
    why = "that is no chance"
    if verdict == "inconclusive":
        why = "chance alone could explain the difference: " + (
            f"{needed:,} more needed, if it stays so" if needed else "no number of requests decides"
        )
    return Found(
        verdict, value, wording.sentence(fact, why), counts[0], counts[1], needed, *between,
        limit=limit,
    )  # fmt: skip
