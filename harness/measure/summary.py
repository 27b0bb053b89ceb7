"""A run in numbers and curves, for reports: windows, the load, and the run second by second.

Requests are put where they were due, so a freeze stands where it began; only `reached` goes by when
they ended. Quantiles are of all requests, and None where they lie among the failures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.load.recording import Outcome
from harness.measure.bins import Bins
from harness.measure.evidence import Evidence
from harness.measure.indicators import availability
from harness.measure.observation import Box, Ints
from harness.measure.statistics import quantile

#: What failures are called, gravest for the user first.
CLASSES = {
    "timeout": Outcome.TIMEOUT, "refused": Outcome.REFUSED, "reset": Outcome.RESET,
    "status": Outcome.STATUS, "content": Outcome.CONTENT, "skipped": Outcome.SKIPPED,
    "other": Outcome.OTHER,
}  # fmt: skip


@dataclass(frozen=True)
class WindowSummary:
    """`throughput` are all that ended in it each second, failed ones too; `goodput` the good."""

    name: str
    start_s: float
    end_s: float
    count: int
    availability: float | None
    p50_ms: float | None
    p99_ms: float | None
    throughput: float | None = None
    goodput: float | None = None


@dataclass(frozen=True)
class LoadSummary:
    """`due`, `sent`, `dropped` count arrivals over the whole load, the warm-up included; `rate` is
    requests that ended per second after it.
    """

    due: int
    sent: int
    dropped: int
    late_p99_ms: float | None
    rate: float


@dataclass(frozen=True)
class Series:
    """Bins of `step_s`, the n-th beginning at `start_s + n * step_s`. `asked` were due per second,
    `reached` were answered well; `errors` counts the failures of each class, by when they were due.
    """

    start_s: float
    step_s: float
    asked: tuple[float, ...]
    reached: tuple[float, ...]
    p50_ms: tuple[float | None, ...]
    p99_ms: tuple[float | None, ...]
    errors: tuple[tuple[str, tuple[int, ...]], ...]


def windows_table(evidence: Evidence) -> tuple[WindowSummary, ...]:
    """One line for each window, over all requests."""
    requests = evidence.observation.requests
    rows = []
    for window in evidence.windows.all:
        chosen, ended = window.choose(requests), requests.within(window.ended)
        span = window.span_s
        rows.append(WindowSummary(
            window.name, window.start_s, window.end_s, len(chosen),
            availability(chosen) if len(chosen) else None,
            _ms(quantile(chosen.latencies, 0.5)), _ms(quantile(chosen.latencies, 0.99)),
            len(ended) / span if span else None, ended.good_count / span if span else None,
        ))  # fmt: skip
    return tuple(rows)


def load_summary(evidence: Evidence) -> LoadSummary | None:
    """What became of the arrivals; None without load."""
    if evidence.plan.load is None:
        return None
    told = next((s.data for s in reversed(evidence.steps) if s.step == "load.ended"), {})
    observation, end = evidence.observation, evidence.windows.end_s
    arrivals = observation.sent.count
    dropped = max(observation.dropped, int(told.get("dropped") or 0))
    answered = len(observation.requests.within(Box(ended_from=0.0, ended_to=end)))
    late = quantile(observation.lateness, 0.99)
    return LoadSummary(
        int(told.get("due") or arrivals), int(told.get("sent") or arrivals - dropped), dropped,
        _ms(late), answered / end if end > 0 else 0.0,
    )  # fmt: skip


def series(evidence: Evidence, step_s: float = 1.0) -> Series:
    """The run in bins, from the beginning of the warm-up to the end of the load."""
    start = -evidence.plan.warmup
    bins = Bins(start, step_s, max(1, math.ceil((evidence.windows.end_s - start) / step_s - 1e-9)))
    for part in evidence.observation.requests.parts():
        bins.add(part)
    bins.finish()
    errors = ((name, bins.errors[kind]) for name, kind in CLASSES.items())
    return Series(
        start, step_s, _per_second(bins.asked, step_s), _per_second(bins.reached, step_s),
        tuple(map(_ms, bins.p50_s)), tuple(map(_ms, bins.p99_s)),
        tuple((name, tuple(map(int, counts))) for name, counts in errors if counts.any()),
    )  # fmt: skip


def _per_second(counts: Ints, step_s: float) -> tuple[float, ...]:
    return tuple(float(count) / step_s for count in counts)


def _ms(value_s: float) -> float | None:
    return value_s * 1e3 if math.isfinite(value_s) else None
