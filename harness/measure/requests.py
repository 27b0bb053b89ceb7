"""Requests of a recording, chosen by what they are and when they lived, and never all held.

`Requests` stands for all that were chosen. What it counts it counts part by part, in one pass over
the recording that is remembered; its columns (`due`, `latency` ...) hold everything and are for
runs that fit into memory. Seconds count from the epoch, failures are slower than any limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.clock import SECOND
from harness.load import stored
from harness.load.ranks import Histogram, Ranks
from harness.load.recording import Flag, Outcome, Rows
from harness.load.stored import Held, Store

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_EVERY_NAME = -1


@dataclass(frozen=True)
class Box:
    """Spans in seconds since the epoch, ends included: when requests were due, when they ended."""

    due_from: float = -math.inf
    due_to: float = math.inf
    ended_from: float = -math.inf
    ended_to: float = math.inf

    def mask(self, part: Part) -> Bools:
        inside = np.ones(len(part), bool)
        for column, first, last in (
            ("due", self.due_from, self.due_to), ("ended", self.ended_from, self.ended_to),
        ):  # fmt: skip
            if first > -math.inf:
                inside &= getattr(part, column) >= first
            if last < math.inf:
                inside &= getattr(part, column) <= last
        return inside

    def both(self, other: Box) -> Box:
        return Box(
            max(self.due_from, other.due_from), min(self.due_to, other.due_to),
            max(self.ended_from, other.ended_from), min(self.ended_to, other.ended_to),
        )  # fmt: skip

    def stored(self, mono_ns: int) -> stored.Box:
        """The same for a store, a microsecond wider: floats are not whole nanoseconds."""
        spans = zip(
            (self.due_from, self.due_to, self.ended_from, self.ended_to),
            (-1000, 1000, -1000, 1000),
            (
                stored.EVERYTHING.due_from, stored.EVERYTHING.due_to,
                stored.EVERYTHING.ended_from, stored.EVERYTHING.ended_to,
            ),
            strict=True,
        )  # fmt: skip
        return stored.Box(*(
            mono_ns + round(second * SECOND) + wider if math.isfinite(second) else unbounded
            for second, wider, unbounded in spans
        ))  # fmt: skip


def before(second: float) -> float:
    """The last instant that is earlier: boxes include their ends."""
    return math.nextafter(second, -math.inf)


def after(second: float) -> float:
    return math.nextafter(second, math.inf)


@dataclass(frozen=True, eq=False)
class Part:
    """Some requests (or journeys) as columns. `timeout_ns` 0: there is none."""

    rows: Rows
    mono_ns: int
    timeout_ns: int

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, mask: Bools) -> Part:
        return self if mask.all() else replace(self, rows=self.rows[mask])

    @cached_property
    def due(self) -> Floats:
        return self._seconds(self.rows["intended"])

    @cached_property
    def ended(self) -> Floats:
        return self._seconds(self.rows["ended"])

    @cached_property
    def took(self) -> Floats:
        """Seconds from due to ended, of failures too."""
        took: Floats = self._took_ns / SECOND
        return took

    @cached_property
    def good(self) -> Bools:
        good: Bools = self.rows["outcome"] == Outcome.OK
        return good & (self._took_ns <= self.timeout_ns) if self.timeout_ns else good

    @cached_property
    def latency(self) -> Floats:
        """As `took`, failures beyond any limit."""
        return np.where(self.good, self.took, np.inf)

    @cached_property
    def outcome(self) -> Ints:
        return self.rows["outcome"].astype(np.int64)

    @cached_property
    def name(self) -> Ints:
        return self.rows["name"].astype(np.int64)

    @cached_property
    def _took_ns(self) -> Ints:
        took: Ints = self.rows["ended"] - self.rows["intended"]
        return took

    def _seconds(self, instants: Ints) -> Floats:
        return (instants - self.mono_ns) / SECOND


@dataclass(frozen=True)
class Chosen:
    """Which rows: requests or whole journeys, of one name or of all, in a box of time."""

    journeys: bool
    mono_ns: int
    timeout_ns: int
    name: int = _EVERY_NAME
    box: Box = Box()

    def part(self, rows: Rows) -> Part:
        """Those of these rows that are judged: what the generator dropped never was a request."""
        flags = rows["flags"]
        mask = ((flags & Flag.JOURNEY) != 0) == np.bool_(self.journeys)
        mask &= (flags & Flag.UNJUDGED) == 0
        mask &= rows["outcome"] != Outcome.DROPPED
        if self.name != _EVERY_NAME:
            mask &= rows["name"] == self.name
        part = Part(rows if mask.all() else rows[mask], self.mono_ns, self.timeout_ns)
        return part.where(self.box.mask(part))


class Requests:
    """All rows of a store that were chosen, by when they were due."""

    def __init__(self, store: Store, chosen: Chosen) -> None:
        self._store = store
        self._chosen = chosen
        self._within: dict[Box, Requests] = {}

    def __len__(self) -> int:
        return self._census.count

    def within(self, box: Box) -> Requests:
        """Those in the box; asked again, the same, so that nothing is counted twice."""
        if box not in self._within:
            smaller = replace(self._chosen, box=self._chosen.box.both(box))
            self._within[box] = Requests(self._store, smaller)
        return self._within[box]

    def named(self, number: int) -> Requests:
        return Requests(self._store, replace(self._chosen, name=number))

    def where(self, mask: Bools) -> Requests:
        """Those of the mask, held in memory."""
        return Requests(Held(self._all.rows[mask]), self._chosen)

    def parts(self) -> Iterator[Part]:
        """All of them by when they were due, a part at a time."""
        if isinstance(self._store, Held):
            yield self._all
            return
        for rows in self._store.in_order(self._box):
            yield self._chosen.part(rows)

    # ---------------------------------------------------------------- counted in parts

    @property
    def good_count(self) -> int:
        return self._census.good

    @property
    def last_due(self) -> float:
        """Not a number when there is none."""
        return self._census.last_due

    @property
    def names(self) -> tuple[int, ...]:
        """The names that occur."""
        return self._census.names

    @cached_property
    def latencies(self) -> Ranks:
        """Of all, failures being infinite; `finite` of them are those of successes."""
        census = self._census
        return Ranks(self._good_took, census.count - census.good, census.histogram)

    @cached_property
    def _census(self) -> _Census:
        census = _Census()
        for part in self._blocks():
            census.add(part)
        return census

    def _good_took(self) -> Iterator[Floats]:
        return (part.took[part.good] for part in self._blocks())

    def _blocks(self) -> Iterator[Part]:
        """Parts in any order, which is quicker."""
        if isinstance(self._store, Held):
            yield self._all
            return
        for rows in self._store.blocks(self._box):
            yield self._chosen.part(rows)

    @cached_property
    def _box(self) -> stored.Box:
        return self._chosen.box.stored(self._chosen.mono_ns)

    # ---------------------------------------------------------------- held in memory

    @cached_property
    def _all(self) -> Part:
        parts = [self._chosen.part(rows) for rows in self._store.in_order(self._box)]
        if len(parts) == 1:
            return parts[0]
        rows = np.concatenate([part.rows for part in parts])
        return Part(rows, self._chosen.mono_ns, self._chosen.timeout_ns)

    @property
    def due(self) -> Floats:
        return self._all.due

    @property
    def ended(self) -> Floats:
        return self._all.ended

    @property
    def took(self) -> Floats:
        return self._all.took

    @property
    def good(self) -> Bools:
        return self._all.good

    @property
    def latency(self) -> Floats:
        return self._all.latency

    @property
    def outcome(self) -> Ints:
        return self._all.outcome

    @property
    def name(self) -> Ints:
        return self._all.name


class _Census:
    """What one pass tells about requests."""

    def __init__(self) -> None:
        self.count = self.good = 0
        self.last_due = math.nan
        self.histogram = Histogram()
        self._names: Ints = np.empty(0, np.int64)

    def add(self, part: Part) -> None:
        if not len(part):
            return
        good = part.took[part.good]
        self.count += len(part)
        self.good += len(good)
        self.last_due = max(float(part.due.max()), self.last_due)
        self.histogram.add(good)
        self._names = np.union1d(self._names, np.unique(part.rows["name"]))

    @property
    def names(self) -> tuple[int, ...]:
        return tuple(int(number) for number in self._names)
