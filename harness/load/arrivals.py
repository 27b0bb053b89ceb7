"""When each arrival is due: one schedule for all workers, made from the plan alone.

Arrival i of a constant rate is due at i / rate; a curve is integrated, and arrival i is due when
the integral reaches i; Poisson arrivals put exponential gaps in place of the ones. Worker k of N
takes every N-th arrival by index, so that the schedule does not depend on how many workers share
it. Times are seconds from the start of the load; the end of the warm-up is second 0 of the run.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from harness.record.plan import LoadPlan

_MASK = (1 << 64) - 1


def arrivals(plan: LoadPlan, worker: int = 0, workers: int = 1) -> Iterator[tuple[int, float]]:
    """The arrivals of one worker in order: index in the whole schedule, and when it is due."""
    return itertools.islice(enumerate(_due(plan)), worker, None, workers)


def count_between(plan: LoadPlan, begin_s: float, end_s: float) -> float:
    """How many arrivals are due in a span of the load, in the mean: the integral of the rate."""
    return _count_until(plan, end_s) - _count_until(plan, begin_s)


def peak_rate(plan: LoadPlan) -> float:
    """The highest rate that the curve reaches, per second."""
    return max(value for _, value in plan.rate)


def chance(seed: int, index: int) -> float:
    """A random number in [0, 1) that belongs to this arrival, whichever worker runs it.

    One step of SplitMix64 (Steele, Lea, Flood 2014): seeding `random.Random` would take longer
    than sending the request.
    """
    state = (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xD1B54A32D192ED03) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((state ^ (state >> 31)) >> 11) / (1 << 53)


@dataclass(frozen=True)
class _Piece:
    """A stretch of the curve on which the rate is a straight line; `before` counts arrivals."""

    begin: float
    length: float
    rate: float
    slope: float
    before: float

    @property
    def count(self) -> float:
        return self.count_after(self.length)

    def count_after(self, elapsed_s: float) -> float:
        return self.rate * elapsed_s + self.slope * elapsed_s * elapsed_s / 2

    def elapsed(self, count: float) -> float:
        """When the integral reaches `count`: the root that also holds for a slope of nothing."""
        if count <= 0:
            return 0.0
        root = math.sqrt(max(self.rate * self.rate + 2 * self.slope * count, 0.0))
        return min(2 * count / (self.rate + root), self.length)


def _due(plan: LoadPlan) -> Iterator[float]:
    pieces = _pieces(plan)
    piece = next(pieces)
    for count in _counts(plan):
        while count >= piece.before + piece.count:
            following = next(pieces, None)
            if following is None:
                return
            piece = following
        yield piece.begin + piece.elapsed(count - piece.before)


def _counts(plan: LoadPlan) -> Iterator[float]:
    """What the integral of the rate has to reach for each arrival; without end."""
    if not plan.poisson:
        yield from map(float, itertools.count())
    draw = random.Random(f"arrivals {plan.seed}")
    count = draw.expovariate(1.0)
    while True:
        yield count
        count += draw.expovariate(1.0)


def _pieces(plan: LoadPlan) -> Iterator[_Piece]:
    """The curve from the start to the end of the load; at least one piece."""
    end, before = plan.warmup + plan.duration, 0.0
    for (begin, rate), (until, next_rate) in itertools.pairwise(_edges(plan, end)):
        slope = (next_rate - rate) / (until - begin) if plan.rate_smooth else 0.0
        length = max(min(until, end) - begin, 0.0)
        yield (piece := _Piece(begin, length, rate, slope, before))
        before += piece.count


def _edges(plan: LoadPlan, end: float) -> Iterator[tuple[float, float]]:
    """The points of the curve, again and again where it repeats, and one that is never reached."""
    if not plan.rate_every:
        yield from plan.rate
    else:
        for turn in range(max(math.ceil(end / plan.rate_every), 1)):
            begin = turn * plan.rate_every
            yield from ((begin + at, rate) for at, rate in plan.rate if at < plan.rate_every)
    yield math.inf, plan.rate[0 if plan.rate_every else -1][1]


def _count_until(plan: LoadPlan, end_s: float) -> float:
    return sum(
        piece.count_after(min(max(end_s - piece.begin, 0.0), piece.length))
        for piece in _pieces(plan)
    )
