"""How many requests it takes until a claim in general is decided in 19 of 20 runs.

For a service that is twice as good as its target, and for one that is twice as bad: nearer to the
target, no number of requests decides soon.
"""

from __future__ import annotations

from functools import cache

from harness.measure.statistics import CONFIDENCE, proving, refuting

#: In so large a share of runs it is decided.
OFTEN = 0.95
TIMES = 2.0
_MOST_FAILURES = 500


@cache
def sufficing(target: float, confidence: float = CONFIDENCE) -> int:
    """From so many requests on, a service with half the failures that are allowed is proven good;
    0: no number would.
    """
    share = (1 - target) / TIMES
    if share <= 0:
        return 0
    counts = [proving(target, 0, confidence)]
    for failures in range(_MOST_FAILURES):
        counts.append(proving(target, failures + 1, confidence))
        if _at_most(failures, counts[-1] - 1, share) >= OFTEN:
            return counts[failures]
    return 0


@cache
def exposing(target: float, confidence: float = CONFIDENCE) -> int:
    """With so many requests, a service with twice the failures that are allowed is refuted."""
    miss = 1 - target
    if miss <= 0:
        return 1
    share = min(TIMES * miss, (1 + miss) / 2)
    low, high = 1, 2
    while not _exposed(target, high, share, confidence):
        low, high = high, high * 2
    while high - low > max(1, low // 100):  # about so many; it is said with two digits
        middle = (low + high) // 2
        low, high = (low, middle) if _exposed(target, middle, share, confidence) else (middle, high)
    return high


def _exposed(target: float, count: int, share: float, confidence: float) -> bool:
    return _at_most(refuting(target, count, confidence) - 1, count, share) <= 1 - OFTEN


def _at_most(failures: int, count: int, share: float) -> float:
    """The chance of no more failures than these."""
    from scipy.special import bdtr

    return float(bdtr(failures, count, share)) if failures >= 0 else 0.0
