"""Exact bounds: what n requests with k failures say about a service in general.

Clopper-Pearson for shares (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934) and order statistics
for quantiles (H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., section 7.1): both hold at
any n, without an assumption about the distribution. They do assume that requests fail
independently of each other; inside a fault window they do not, and a caller has to say so.

Only `scipy.special` is used: `scipy.stats` takes most of a second to import.
"""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np

from harness.load.ranks import Floats, Ranks

CONFIDENCE = 0.95
#: Beyond this many requests nobody tests: the searches below end here.
_MOST = 10**14


def share_low(good: float, count: float, confidence: float = CONFIDENCE) -> float:
    """The one-sided lower bound of a share: Beta(k, n - k + 1) at 1 - confidence; 0 for k = 0.

    Counts that were divided by a design effect (`bursts`) need not be whole.
    """
    from scipy.special import betaincinv

    if good <= 0:
        return 0.0
    return float(betaincinv(good, count - good + 1, 1 - confidence))


def share_high(good: float, count: float, confidence: float = CONFIDENCE) -> float:
    """The one-sided upper bound of a share: Beta(k + 1, n - k) at confidence; 1 for k = n."""
    from scipy.special import betaincinv

    if good >= count:
        return 1.0
    return float(betaincinv(good + 1, count - good, confidence))


def share_between(good: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The two-sided interval: each end one-sided at half the doubt."""
    each = 1 - (1 - confidence) / 2
    return share_low(good, count, each), share_high(good, count, each)


def proving(target: float, failures: float, confidence: float = CONFIDENCE) -> int:
    """How many requests, `failures` of them failed, prove a good share of `target`. 0: none do."""
    allowed = round(1 - target, 15)
    if allowed <= 0:
        return 0

    def proves(count: int) -> bool:
        return share_high(failures, count, confidence) <= allowed

    return bisect_left(range(_MOST), True, lo=math.ceil(failures) + 1, key=proves)


def refuting(target: float, count: int, confidence: float = CONFIDENCE) -> int:
    """The fewest failures of `count` that refute a good share of `target`; count + 1: none do."""
    allowed = round(1 - target, 15)

    def refutes(failures: int) -> bool:
        return share_low(failures, count, confidence) > allowed

    return bisect_left(range(count + 1), True, key=refutes)


def quantile(values: Floats | Ranks, q: float) -> float:
    """The smallest value that at least a share `q` of all does not exceed; nan of none.

    No interpolation: so `p99 < x` holds exactly if at most 1 % are not below x.
    """
    if not len(values):
        return math.nan
    return _at(values, rank_of(len(values), q))


def _at(values: Floats | Ranks, rank: int) -> float:
    """The value of this rank, which counts from 1."""
    if isinstance(values, Ranks):
        return values.at(rank)
    return float(np.partition(values, rank - 1)[rank - 1])


def rank_of(count: int, q: float) -> int:
    """The rank (from 1) of the q-quantile among `count` sorted values."""
    return min(count, max(1, math.ceil(count * q * (1 - 1e-12))))


def quantile_low(
    values: Floats | Ranks, q: float, confidence: float = CONFIDENCE, design: float = 1.0
) -> float:
    """One-sided lower bound of a quantile: the value of rank l, the smallest l of which
    P(Binomial(n, q) <= l) >= 1 - confidence; 0 where n is too small to have one. `design` is by
    how much fewer values there would be, were all independent (`bursts`).
    """
    rank = math.floor(design * _binomial_quantile(1 - confidence, int(len(values) / design), q))
    return _at(values, rank) if rank >= 1 else 0.0


def quantile_high(
    values: Floats | Ranks, q: float, confidence: float = CONFIDENCE, design: float = 1.0
) -> float:
    """One-sided upper bound: the value of rank u + 1, the smallest u of which
    P(Binomial(n, q) <= u) >= confidence; infinite where n is too small (P99: below 299).
    """
    rank = math.ceil(design * (_binomial_quantile(confidence, int(len(values) / design), q) + 1))
    return _at(values, rank) if rank <= len(values) else math.inf


def bounding(q: float, confidence: float = CONFIDENCE) -> int:
    """How many values it takes for an upper bound of the q-quantile to exist: 1 - q**n >= c."""
    if not 0 < q < 1:
        return 0
    return math.ceil(math.log(1 - confidence) / math.log(q) - 1e-9)


def _binomial_quantile(p: float, count: int, q: float) -> int:
    """The smallest k with P(Binomial(count, q) <= k) >= p."""
    from scipy.special import bdtr

    return bisect_left(range(count + 1), p, key=lambda k: float(bdtr(k, count, q)))
