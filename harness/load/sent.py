"""How the arrivals of a recording were begun: how many, how late, and at what rate on time.

A journey's own row stands for an arrival: it tells our lateness apart from what the user's task
does before its first request. A driver that writes no journeys is judged by its first requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.clock import SECOND
from harness.load.ranks import Bools, Floats, Ints, Ranks
from harness.load.recording import Flag, Outcome, Rows
from harness.load.stored import Store

#: A second is on time when no more than this share of what was begun in it was late.
_LATE_SHARE = 0.01
#: A generator that does nothing but catch up is no measure of what it can do on time.
_SATURATED = 0.75


@dataclass(frozen=True)
class Pace:
    """Arrivals a second: `asked` in the busiest second, `rate` begun on time in the best; `seconds`
    of `of` were on time. Where none was, `rate` is a guess from what was begun at all.
    """

    asked: float
    rate: float
    seconds: int
    of: int


class Sent:
    """`since_ns` is the end of the warm-up: what was due before is nobody's measurement."""

    def __init__(self, store: Store, since_ns: int) -> None:
        self._store = store
        self._since_ns = since_ns

    @property
    def count(self) -> int:
        """All arrivals, the warm-up's too."""
        return self._census.count

    @property
    def dropped(self) -> int:
        """Arrivals that the generator could not send."""
        return self._census.dropped

    @cached_property
    def lateness(self) -> Ranks:
        """How late each arrival was begun, in seconds."""
        return Ranks(lambda: (late for _, late in self._begun()))

    @property
    def late_p99_s(self) -> float:
        """0 when nothing was sent."""
        count = len(self.lateness)
        return self.lateness.at(math.ceil(0.99 * count)) if count else 0.0

    def pace(self, late_s: float) -> Pace:
        """What was on time, when later than `late_s` is late."""
        counts = np.zeros((2, 1), np.int64)
        for seconds, lateness in self._begun():
            counts = _added(counts, seconds, lateness > late_s)
        begun, late = counts
        on_time = (late <= _LATE_SHARE * begun) & (begun > 0)
        best = float(begun[on_time].max(initial=0)) or _SATURATED * float(np.median(begun))
        return Pace(self._asked(), best, int(np.count_nonzero(on_time)), len(begun))

    def _asked(self) -> float:
        counts = np.zeros((2, 1), np.int64)
        for rows in self._store.blocks():
            due = rows["intended"][self._census.arrivals(rows)]
            seconds = (due[due >= self._since_ns] - self._since_ns) // SECOND
            counts = _added(counts, seconds, np.zeros(len(seconds), bool))
        return float(counts[0].max())

    def _begun(self) -> Iterator[tuple[Ints, Floats]]:
        """In which second arrivals were begun, and how late, in parts."""
        for rows in self._store.blocks():
            begun = self._census.arrivals(rows) & (rows["intended"] >= self._since_ns)
            begun &= (rows["outcome"] != Outcome.DROPPED) & (rows["outcome"] != Outcome.SKIPPED)
            started, due = rows["started"][begun], rows["intended"][begun]
            yield (started - self._since_ns) // SECOND, (started - due) / SECOND

    @cached_property
    def _census(self) -> _Census:
        return _Census(self._store)


class _Census:
    """How many rows there are of each kind, and which of them stand for arrivals."""

    def __init__(self, store: Store) -> None:
        journeys = firsts = self.dropped = 0
        for rows in store.blocks():
            journeys += int(np.count_nonzero(_journeys(rows)))
            firsts += int(np.count_nonzero(_firsts(rows)))
            self.dropped += int(np.count_nonzero(rows["outcome"] == Outcome.DROPPED))
        self.arrivals = _journeys if journeys else _firsts
        self.count = journeys or firsts


def _journeys(rows: Rows) -> Bools:
    journeys: Bools = (rows["flags"] & Flag.JOURNEY) != 0
    return journeys


def _firsts(rows: Rows) -> Bools:
    firsts: Bools = (rows["flags"] & (Flag.FIRST | Flag.UNJUDGED)) == Flag.FIRST
    return firsts


def _added(counts: Ints, seconds: Ints, late: Bools) -> Ints:
    """Counts by second of all that was begun, and of what was late."""
    length = max(counts.shape[1], int(seconds.max(initial=0)) + 1)
    more = np.array([np.bincount(s, minlength=length) for s in (seconds, seconds[late])])
    more[:, : counts.shape[1]] += counts
    return more
