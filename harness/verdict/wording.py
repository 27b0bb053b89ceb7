"""Numbers and sentences of judgements, for people. Bounds are rounded so that they stay true."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.experiment.model import Objective
from harness.measure.claims import Count, Decision, fewest
from harness.measure.indicators import availability
from harness.measure.observation import Requests
from harness.measure.sequential import ALPHA, Decided
from harness.measure.statistics import quantile, rank_of


def percent(share: float, *, up: bool = False) -> str:
    """Per cent with two digits that matter: cut, or rounded up, never past 0 or 100 %."""
    value = round(share * 100, 10)
    nearest_end = min(value, 100 - value)
    digits = 0 if nearest_end <= 0 else min(10, max(1, 1 - math.floor(math.log10(nearest_end))))
    scaled = round(value * 10**digits, 4)
    whole = math.ceil(scaled) if up else math.floor(scaled)
    text = f"{whole / 10**digits:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} %"


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def rate(value: float) -> str:
    return f"{value:,.4g}/s"


def noun(objective: Objective) -> str:
    """`requests`, `pay requests`, `journeys`."""
    return f"{objective.name} {_kind(objective)}" if objective.name else _kind(objective)


def _kind(objective: Objective) -> str:
    return "journeys" if objective.journeys else "requests"


def quantile_name(q: float) -> str:
    return f"P{q * 100:.6g}"


def what_happened(objective: Objective, count: Count, requests: Requests) -> str:
    """The facts of a counting objective."""
    if objective.indicator == "latency":
        return _latencies(objective, count, requests)
    if not count.failures:
        return f"all {count.count:,} {noun(objective)} were good"
    return f"{count.failures:,} of {count.count:,} {noun(objective)} failed"


def _latencies(objective: Objective, count: Count, requests: Requests) -> str:
    q = objective.quantile
    name, value = quantile_name(q), quantile(requests.latencies, q)
    slow = f"{count.failures:,} of {count.count:,} {noun(objective)} took too long or failed"
    if math.isfinite(value):
        return f"{name} was {seconds(value)}; {slow}"
    failed = percent(1 - availability(requests), up=True)
    if not requests.good_count:
        return "every request failed"
    of_good = requests.latencies.at(rank_of(requests.good_count, q))
    return f"{failed} failed; {name} of successes {seconds(of_good)}"


def decided(count: Count, decision: Decision, needed: int) -> str:
    """Why a claim about this run is decided, or is not."""
    if decision != "inconclusive":
        return f"{max(count.allowed, 0):,} allowed" if count.failures else ""
    least = fewest(count.target, strict=count.strict)
    return f"one failure is allowed only from {least:,} on: {needed:,} more needed"


def bounded(objective: Objective, count: Count, decision: Decision, needed: int) -> str:
    """Why a claim in general is proven, refuted, or neither."""
    said = f"at {percent(objective.confidence)}"
    if decision == "pass":
        return f"that proves it {said}"
    if decision == "fail":
        return f"that refutes it {said}"
    again = "if all are good" if count.failures else "without a failure"
    if not needed:
        return f"no number of requests proves this {said}"
    return f"that neither proves nor refutes it {said}: {needed:,} more needed, {again}"


def sentence(*parts: str) -> str:
    text = "; ".join(filter(None, parts))
    return text[:1].upper() + text[1:] + "."


def bursts(count: Count, design: float) -> str:
    """That failures which came together count as few; empty where they stood alone."""
    if design < 1.5:
        return ""
    few, number = count.failures / design, count.count / design
    return f"the bad ones came in bursts, so they count as {few:,.3g} of {number:,.0f}; "


def sequentially(count: Count, found: Decided, needed: int) -> str:
    """What a sequential test decided, and at which bound."""
    test = f"the sequential test (each error at most {percent(ALPHA, up=True)})"
    if found.verdict == "inconclusive":
        return f"{test} decided nothing: {needed:,} more needed, if all are good"
    bound = "proved" if found.verdict == "pass" else "refuted"
    return f"{test} {bound} it after {found.count:,} requests with {found.failures:,} bad"


def indicator(objective: Objective) -> str:
    """`P99 of pay`, `availability`."""
    name = objective.indicator
    if name == "latency":
        name = quantile_name(objective.quantile)
    return f"{name} of {objective.name}" if objective.name else name


def quantity(value: float, unit: str) -> str:
    """A value in its base unit."""
    if math.isinf(value):
        return "beyond the failures"
    return _WRITERS[unit](value)


def size(value: float) -> str:
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


_WRITERS: dict[str, Callable[[float], str]] = {
    "s": seconds, "share": percent, "/s": rate, "B": size,
}  # fmt: skip


def duration(value_s: float) -> str:
    """Seconds, minutes, hours or days, with the part below."""
    if value_s < 120:
        return seconds(value_s)
    for length, whole, below, part in _LENGTHS:
        if value_s >= length:
            count, rest = divmod(value_s, length)
            parts = round(rest / below)
            return f"{count:,.0f} {whole}" + (f" {parts} {part}" if parts else "")
    return seconds(value_s)


_LENGTHS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
