"""Looking at a count again and again without fooling oneself: sequential likelihood-ratio tests.

A bound for a fixed number of requests that is looked at after every request is wrong far more often
than it says. These tests may be (A. Wald, Sequential Analysis, 1947): the service that just misses
its target is compared with services that are 2 and 10 times better, in equal parts, the one that
just meets it with services 2 and 10 times worse. Each decision is wrong with a chance of at most
5 %, however often one looks (J. Ville, 1939). They assume that requests fail independently.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.load.ranks import Floats, Ints
from harness.measure.claims import Decision

#: The chance of a PASS for a service that misses its target, and of a FAIL for one that meets it.
ALPHA = BETA = 0.05
TIMES = (2.0, 10.0)


@dataclass(frozen=True)
class Decided:
    """What was decided, and after how many requests with how many failures."""

    verdict: Decision
    count: int
    failures: int


def decide(failures: int, count: int, target: float) -> Decision:
    """One look at a count. A target of 100 % is refuted by one failure and never proven."""
    miss = round(1 - target, 15)
    if miss <= 0:
        return "fail" if failures else "inconclusive"
    if evidence(failures, count, miss, better=True) >= math.log(1 / ALPHA):
        return "pass"
    if evidence(failures, count, miss, better=False) >= math.log(1 / BETA):
        return "fail"
    return "inconclusive"


def evidence(failures: float, count: float, miss: float, *, better: bool) -> float:
    """The log of how many times likelier the count is from services better (or worse) than one that
    fails a share `miss` of its requests.
    """
    return float(_evidence(np.array([failures]), np.array([count]), miss, better=better)[0])


def _evidence(
    failures: Ints | Floats, count: Ints | Floats, miss: float, *, better: bool
) -> Floats:
    shares = [miss / t if better else min(miss * t, (1 + miss) / 2) for t in TIMES]
    logs = [
        failures * math.log(share / miss) + (count - failures) * math.log((1 - share) / (1 - miss))
        for share in shares
    ]
    mixed: Floats = np.logaddexp(*logs) - math.log(len(TIMES))
    return mixed


def first_decision(failed: Ints, count: int, target: float) -> Decided:
    """The first decision along a run of which the requests numbered `failed` (from 1) failed.

    Between two failures only PASS comes nearer, and FAIL only with one, so that these instants are
    all that needs to be looked at.
    """
    miss = round(1 - target, 15)
    if miss <= 0:
        first = int(failed[0]) if len(failed) else 0
        return Decided("fail", first, 1) if first else Decided("inconclusive", count, 0)
    passed, refuted = _passed(failed, count, miss), _refuted(failed, miss)
    found = [d for d in (passed, refuted) if d]
    return min(found, key=lambda d: d.count, default=Decided("inconclusive", count, len(failed)))


def _passed(failed: Ints, count: int, miss: float) -> Decided | None:
    """Just before each failure and at the end the evidence for PASS is at its highest."""
    ends = np.append(failed - 1, count)
    failures = np.arange(len(ends))
    enough = _evidence(failures, ends, miss, better=True) >= math.log(1 / ALPHA)
    if not enough.any():
        return None
    before = int(np.argmax(enough))
    return Decided("pass", clean(before, miss, ALPHA), before)


def _refuted(failed: Ints, miss: float) -> Decided | None:
    failures = np.arange(1, len(failed) + 1)
    enough = _evidence(failures, failed, miss, better=False) >= math.log(1 / BETA)
    if not enough.any():
        return None
    at = int(np.argmax(enough))
    return Decided("fail", int(failed[at]), at + 1)


def clean(failures: int, miss: float, doubt: float = ALPHA) -> int:
    """After how many requests, so many of them failed, PASS is decided."""
    low, high = failures, failures + 1
    while evidence(failures, high, miss, better=True) < math.log(1 / doubt):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = evidence(failures, middle, miss, better=True) >= math.log(1 / doubt)
        low, high = (low, middle) if enough else (middle, high)
    return high
