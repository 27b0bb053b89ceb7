"""Exact ranks of more numbers than memory holds: which value is the k-th smallest.

The bits of a non-negative double order as the number does, so their upper ones are buckets 0.05 %
wide. One pass counts the buckets; another collects the values around the wanted one, as distinct
values with their counts. Numbers that are whole nanoseconds keep that small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: 11 bits of the fraction: 2048 buckets for each doubling, from a nanosecond to 270 years.
_SHIFT = 41
_BASE = int(np.float64(1e-9).view(np.int64)) >> _SHIFT
_BUCKETS = 63 << 11
#: So many values around a wanted one are collected with it: its neighbours are often asked next.
_AROUND = 1 << 18


class Histogram:
    """Counts of buckets. What is below the first (0, negative) is in it, so nothing is lost."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)

    def add(self, values: Floats) -> None:
        self._counts += np.bincount(_bucket(values), minlength=_BUCKETS)

    def at(self, rank: int) -> float:
        """About the value of this rank: the lower end of its bucket, 0.05 % too low at most."""
        bucket = int(np.searchsorted(self.up_to(), rank))
        return float(np.array([(bucket + _BASE) << _SHIFT], np.int64).view(np.float64)[0])

    def up_to(self) -> Ints:
        """How many values lie in each bucket or below it."""
        return np.cumsum(self._counts)


class Ranks:
    """The values that `parts` gives again each time, besides `infinite` ones above all of them."""

    def __init__(
        self, parts: Callable[[], Iterable[Floats]], infinite: int = 0,
        counted: Histogram | None = None,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._infinite = infinite
        self._up_to = (counted or _counted(parts())).up_to()
        self._opened: list[_Opened] = []

    def __len__(self) -> int:
        return self.finite + self._infinite

    @property
    def finite(self) -> int:
        return int(self._up_to[-1])

    def at(self, rank: int) -> float:
        """The value of this rank, which counts from 1."""
        if rank > self.finite:
            return float("inf")
        bucket = int(np.searchsorted(self._up_to, rank))
        return self._open(bucket).at(rank)

    def below(self, limit: float, *, strict: bool) -> int:
        """How many values are below `limit`, or at most that much when it is not `strict`."""
        if limit == float("inf"):
            return self.finite if strict else len(self)
        bucket = int(_bucket(np.array([limit]))[0])
        if not self._count(bucket, bucket):
            return int(self._up_to[bucket])
        return self._open(bucket).below(limit, strict=strict)

    def _count(self, first: int, last: int) -> int:
        return int(self._up_to[last]) - (int(self._up_to[first - 1]) if first else 0)

    def _open(self, bucket: int) -> _Opened:
        found = next((o for o in self._opened if o.first <= bucket <= o.last), None)
        if found is None:
            self._opened.append(found := self._collect(*self._around(bucket)))
        return found

    def _around(self, bucket: int) -> tuple[int, int]:
        """The widest range of buckets about this one that is cheap to collect with it."""
        width = 0
        while width < 1 << 10:
            wider = 2 * width + 1
            first, last = max(bucket - wider, 0), min(bucket + wider, _BUCKETS - 1)
            if self._count(first, last) > _AROUND:
                break
            width = wider
        return max(bucket - width, 0), min(bucket + width, _BUCKETS - 1)

    def _collect(self, first: int, last: int) -> _Opened:
        values, counts = np.empty(0), np.empty(0, np.int64)
        for part in self._parts():
            bucket = _bucket(part)
            members = part[(bucket >= first) & (bucket <= last)]
            if len(members):
                values, counts = _merged(values, counts, members)
        below = int(self._up_to[first - 1]) if first else 0
        return _Opened(first, last, values, below + np.cumsum(counts), below)


@dataclass(frozen=True, eq=False)
class _Opened:
    """The distinct values of some buckets; `up_to` counts all values from the least up to each."""

    first: int
    last: int
    values: Floats
    up_to: Ints
    before: int

    def at(self, rank: int) -> float:
        return float(self.values[np.searchsorted(self.up_to, rank)])

    def below(self, limit: float, *, strict: bool) -> int:
        place = int(np.searchsorted(self.values, limit, side="left" if strict else "right"))
        return int(self.up_to[place - 1]) if place else self.before


def _counted(parts: Iterable[Floats]) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


def _merged(values: Floats, counts: Ints, members: Floats) -> tuple[Floats, Ints]:
    more, how_many = np.unique(members, return_counts=True)
    distinct, place = np.unique(np.concatenate([values, more]), return_inverse=True)
    both = np.concatenate([counts, how_many])
    return distinct, np.bincount(place, both, len(distinct)).astype(np.int64)


def _bucket(values: Floats) -> Ints:
    bits: Ints = np.ascontiguousarray(values, np.float64).view(np.int64) >> _SHIFT
    return np.clip(bits - _BASE, 0, _BUCKETS - 1)
