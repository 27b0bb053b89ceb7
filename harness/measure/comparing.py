"""Whether two windows of a run differ by more than chance: shares, quantiles, rates.

Each answers with an interval of the difference whose ends are one-sided 95 % bounds. Quantiles are
resampled (the bootstrap), seeded: the quantile of a resample is the value at a rank of which the
distribution is known (B. Efron, J. Am. Stat. Assoc. 74, 1979, remark D), so nothing is drawn but
ranks. Besides, Fisher's exact test counts what is slower than the quantile to be held.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.load.ranks import Floats, Ranks
from harness.measure.statistics import CONFIDENCE, rank_of, share_high, share_low

DOUBT = 1 - CONFIDENCE
_RESAMPLES = 2_000
_SEED = 1
_Z = 1.6448536269514722  # the 95 % quantile of the normal distribution


@dataclass(frozen=True)
class Interval:
    """A difference is above `low` and below `high`, each at 95 %."""

    low: float
    high: float

    @property
    def negative(self) -> bool:
        return self.high < 0

    @property
    def positive(self) -> bool:
        return self.low > 0


def quantile_difference(
    here: Ranks, there: Ranks, q: float, factor: float = 1.0, more: float = 0.0
) -> Interval:
    """The q-quantile of `here` less (`factor` times that of `there`, and `more`)."""
    draw = np.random.default_rng(_SEED)
    ours = _resampled(here, q, draw)
    limits = factor * _resampled(there, q, draw) + more
    with np.errstate(invalid="ignore"):
        difference = np.where(np.isinf(ours), np.inf, ours - limits)  # a failure holds no limit
    low, high = np.quantile(difference, [DOUBT, 1 - DOUBT], method="inverted_cdf")
    return Interval(float(low), float(high))


def _resampled(values: Ranks, q: float, draw: np.random.Generator) -> Floats:
    """The quantile of resamples of the same size: a value at a rank that is distributed as the
    order statistic of as many uniform numbers.
    """
    count, rank = len(values), rank_of(len(values), q)
    places = np.ceil(draw.beta(rank, count - rank + 1, _RESAMPLES) * count).astype(np.int64)
    distinct, where = np.unique(np.clip(places, 1, count), return_inverse=True)
    return np.array([values.at(int(place)) for place in distinct])[where]


def share_difference(
    here: tuple[int, int], there: tuple[int, int], factor: float = 1.0, more: float = 0.0
) -> Interval:
    """A share less (`factor` times another, and `more`), of (so many, of so many) each.

    From the exact bounds of the two (G. Zou, A. Donner, Stat. Med. 27, 2008).
    """
    ours, theirs = here[0] / here[1], there[0] / there[1]
    difference = ours - factor * theirs - more
    below = math.hypot(ours - share_low(*here), factor * (share_high(*there) - theirs))
    above = math.hypot(share_high(*here) - ours, factor * (theirs - share_low(*there)))
    return Interval(difference - below, difference + above)


def rate_difference(
    here: tuple[int, float], there: tuple[int, float], factor: float = 1.0, more: float = 0.0
) -> Interval:
    """A rate less (`factor` times another, and `more`), of (so many, in so many seconds) each."""
    (ours, span), (theirs, other) = here, there
    difference = ours / span - factor * theirs / other - more
    spread = _Z * math.hypot(math.sqrt(ours) / span, factor * math.sqrt(theirs) / other)
    return Interval(difference - spread, difference + spread)


def fisher_more(here: tuple[int, int], there: tuple[int, int]) -> float:
    """How likely chance alone gives `here` so many of its count, or more, when both are alike.

    Fisher's exact test, one-sided (R. A. Fisher, J. R. Stat. Soc. 85, 1922).
    """
    return _hypergeometric_tail(here, there, range(here[0], min(here[1], here[0] + there[0]) + 1))


def fisher_fewer(here: tuple[int, int], there: tuple[int, int]) -> float:
    """The same for so many, or fewer."""
    least = max(0, here[0] + there[0] - there[1])
    return _hypergeometric_tail(here, there, range(least, here[0] + 1))


def _hypergeometric_tail(here: tuple[int, int], there: tuple[int, int], tail: range) -> float:
    """The chance that a number of the tail is among ours, of all that both have together."""
    hits = here[0] + there[0]
    ours = np.arange(tail.start, tail.stop, dtype=float)
    logs = _ln_choose(here[1], ours) + _ln_choose(there[1], hits - ours)
    return min(1.0, float(np.exp(logs - _ln_choose(here[1] + there[1], np.array(hits))).sum()))


def _ln_choose(count: int, some: Floats) -> Floats:
    from scipy.special import gammaln

    chosen: Floats = gammaln(count + 1) - gammaln(some + 1) - gammaln(count - some + 1)
    return chosen
