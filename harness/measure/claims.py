"""Whether a count meets a target: exactly for this run, by a bound for the service in general.

Every objective that counts is brought into one shape first: so many of so many requests were as
the objective wants them, and their share must reach a target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.measure import statistics

Decision = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Count:
    """`good` of `count` are as wanted; their share must be at least `target`, or above if
    `strict`.
    """

    good: int
    count: int
    target: float
    strict: bool = False

    @property
    def failures(self) -> int:
        return self.count - self.good

    @property
    def allowed(self) -> int:
        """The most failures with which this many requests meet the target; -1: not even none."""
        return allowed(self.count, self.target, strict=self.strict)


def allowed(count: int, target: float, *, strict: bool = False) -> int:
    """The most failures of `count` that leave a share of `target` (above it if `strict`)."""
    most = count * (1 - target)
    slack = 1e-9 * max(1.0, most)
    return math.ceil(most - slack) - 1 if strict else math.floor(most + slack)


def fewest(target: float, *, strict: bool = False) -> int:
    """How many requests it takes for one failure to be allowed: 1 / (1 - target).

    A target of 100 % never allows one; there every request decides, so it takes just one.
    """
    if target >= 1:
        return 1
    exact = 1 / (1 - target)
    return math.floor(exact * (1 + 1e-9)) + 1 if strict else math.ceil(exact * (1 - 1e-9))


def of_this_run(count: Count) -> tuple[Decision, int]:
    """What happened, counted; and how many more requests it takes where there were too few.

    Too few is: one failure would already be too many. It is still a failure when there were more
    than the smallest decidable number allows, for no further request could mend that number.
    """
    least = fewest(count.target, strict=count.strict)
    if count.count >= least:
        return ("pass" if count.failures <= count.allowed else "fail"), 0
    if count.failures > max(0, allowed(least, count.target, strict=count.strict)):
        return "fail", 0
    return "inconclusive", least - count.count


def in_general(count: Count, confidence: float, design: float = 1.0) -> tuple[Decision, int]:
    """What the bounds prove or refute; else how many more requests, all good, would prove it.

    `design` is by how much fewer requests there would be, were all independent (`bursts`).
    """
    good, number = count.good / design, count.count / design
    if number and statistics.share_low(good, number, confidence) >= count.target:
        return "pass", 0
    if number and statistics.share_high(good, number, confidence) < count.target:
        return "fail", 0
    enough = statistics.proving(count.target, number - good, confidence)
    return "inconclusive", max(1, math.ceil(enough * design) - count.count)
