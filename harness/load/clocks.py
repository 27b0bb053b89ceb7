"""The clock of another machine: how far its monotonic clock is ahead of ours, and how surely.

A question is asked at `asked`, answered there at `at`, and the answer is here at `heard`: the other
clock's `at` was somewhere between, so the offset is known to half a round trip. The quickest of
many round trips tells it best.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Offset:
    """Nanoseconds: their clock is `ahead` of ours, give or take `within`."""

    ahead: int
    within: int


def offset(asked: int, at: int, heard: int) -> Offset:
    return Offset(at - (asked + heard) // 2, (heard - asked + 1) // 2)


def surest(offsets: Iterable[Offset]) -> Offset:
    return min(offsets, key=lambda found: found.within)
