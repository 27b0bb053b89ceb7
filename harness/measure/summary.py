"""A run in numbers and curves, for reports: windows, the load, and the run second by second.

Requests are put where they were due, so a freeze stands where it began; only `reached` goes by when
they ended. Quantiles are of all requests, and None where they lie among the failures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.load.recording import Outcome
from harness.measure.evidence import Evidence
from harness.measure.indicators import availability
from harness.measure.observation import Floats, Ints, Requests
from harness.measure.statistics import quantile

#: What failures are called, gravest for the user first.
CLASSES = {
    "timeout": Outcome.TIMEOUT, "refused": Outcome.REFUSED, "reset": Outcome.RESET,
    "status": Outcome.STATUS, "content": Outcome.CONTENT, "skipped": Outcome.SKIPPED,
    "other": Outcome.OTHER,
}  # fmt: skip


@dataclass(frozen=True)
class WindowSummary:
    name: str
    start_s: float
    end_s: float
    count: int
    availability: float | None
    p50_ms: float | None
    p99_ms: float | None


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
        chosen = window.choose(requests)
        rows.append(WindowSummary(
            window.name, window.start_s, window.end_s, len(chosen),
            availability(chosen) if len(chosen) else None,
            _ms(quantile(chosen.latency, 0.5)), _ms(quantile(chosen.latency, 0.99)),
        ))  # fmt: skip
    return tuple(rows)


def load_summary(evidence: Evidence) -> LoadSummary | None:
    """What became of the arrivals; None without load."""
    if evidence.plan.load is None:
        return None
    told = next((s.data for s in reversed(evidence.steps) if s.step == "load.ended"), {})
    observation, end = evidence.observation, evidence.windows.end_s
    arrivals = len(np.unique(observation.rows["arrival"])) if len(observation.rows) else 0
    dropped = max(observation.dropped, int(told.get("dropped") or 0))
    ended = observation.requests.ended
    answered = int(np.count_nonzero((ended >= 0) & (ended <= end)))
    late = quantile(observation.lateness, 0.99)
    return LoadSummary(
        int(told.get("due") or arrivals), int(told.get("sent") or arrivals - dropped), dropped,
        _ms(late), answered / end if end > 0 else 0.0,
    )  # fmt: skip


def series(evidence: Evidence, step_s: float = 1.0) -> Series:
    """The run in bins, from the beginning of the warm-up to the end of the load."""
    requests, start = evidence.observation.requests, -evidence.plan.warmup
    bins = max(1, math.ceil((evidence.windows.end_s - start) / step_s - 1e-9))
    due, ended = (_bins(times, start, step_s, bins) for times in (requests.due, requests.ended))
    good = ended[requests.good & (ended < bins)]
    p50, p99 = _quantiles(requests, due, bins)
    return Series(
        start, step_s,
        asked=_per_second(np.bincount(due, minlength=bins + 1)[:bins], step_s),
        reached=_per_second(np.bincount(good, minlength=bins)[:bins], step_s),
        p50_ms=p50, p99_ms=p99, errors=_errors(requests, due, bins),
    )  # fmt: skip


def _bins(times: Floats, start: float, step_s: float, bins: int) -> Ints:
    """Each time's bin. What lies before the first is put into it, after the last into one more."""
    numbers = np.floor((times - start) / step_s + 1e-9).astype(np.int64)
    return np.clip(numbers, 0, bins)


def _per_second(counts: Ints, step_s: float) -> tuple[float, ...]:
    return tuple(float(count) / step_s for count in counts)


def _quantiles(
    requests: Requests, due: Ints, bins: int
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    edges = np.searchsorted(due, np.arange(bins + 1))
    parts = [requests.latency[a:b] for a, b in pairwise(edges)]
    return (
        tuple(_ms(quantile(part, 0.5)) for part in parts),
        tuple(_ms(quantile(part, 0.99)) for part in parts),
    )


def _errors(requests: Requests, due: Ints, bins: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Classes that occurred. An answer that came after its timeout is one."""
    late = ~requests.good & (requests.outcome == Outcome.OK)
    outcome = np.where(late, Outcome.TIMEOUT, requests.outcome)
    counted = (
        (name, np.bincount(due[(outcome == kind) & ~requests.good], minlength=bins + 1)[:bins])
        for name, kind in CLASSES.items()
    )
    return tuple((name, tuple(map(int, counts))) for name, counts in counted if counts.any())


def _ms(value_s: float) -> float | None:
    return value_s * 1e3 if math.isfinite(value_s) else None
