"""What was measured: the recording of a run as columns, ready to be counted.

The only place that decides which rows count and what is good: an answer that came after its
timeout is a failure whatever it says, and a failure is slower than any limit. Rows that the
generator dropped say nothing about the system and appear nowhere but in `dropped`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.clock import SECOND, Epoch
from harness.load.reading import read
from harness.load.recording import Flag, Outcome, Rows
from harness.record.directory import RunDirectory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Requests:
    """Columns of requests (or journeys), sorted by due time; seconds since the epoch."""

    due: Floats
    ended: Floats
    good: Bools
    outcome: Ints
    name: Ints

    def __len__(self) -> int:
        return len(self.due)

    def where(self, mask: Bools) -> Requests:
        return Requests(
            self.due[mask], self.ended[mask], self.good[mask], self.outcome[mask], self.name[mask]
        )

    @cached_property
    def took(self) -> Floats:
        """Seconds from due to ended, of failures too."""
        return self.ended - self.due

    @cached_property
    def latency(self) -> Floats:
        """As `took`, failures beyond any limit."""
        return np.where(self.good, self.took, np.inf)


@dataclass(frozen=True, eq=False)
class Observation:
    """All rows of a run. `names[i]` is what a row's `name` i says; `timeout_s` 0: there is none."""

    rows: Rows
    names: tuple[str, ...]
    epoch: Epoch
    timeout_s: float = 0.0

    @cached_property
    def requests(self) -> Requests:
        """Every judged request, the warm-up's too (windows leave those out)."""
        return self._select(journeys=False)

    @cached_property
    def journeys(self) -> Requests:
        """Whole tasks; no timeout is theirs, since each of their requests has one."""
        return self._select(journeys=True)

    @cached_property
    def dropped(self) -> int:
        """Arrivals that the generator could not send."""
        return int(np.count_nonzero(self.rows["outcome"] == Outcome.DROPPED))

    @cached_property
    def lateness(self) -> Floats:
        """How late the generator began each arrival after the warm-up, in seconds.

        A journey's own row tells it apart from what the user's task does before its first request;
        a driver that writes no journeys is judged by its first requests.
        """
        rows = self.rows
        journeys = (rows["flags"] & Flag.JOURNEY) != 0
        first = (rows["flags"] & (Flag.FIRST | Flag.UNJUDGED)) == Flag.FIRST
        arrivals = journeys if journeys.any() else first
        begun = (
            arrivals & (rows["outcome"] != Outcome.DROPPED) & (rows["outcome"] != Outcome.SKIPPED)
        )
        begun &= rows["intended"] >= self.epoch.mono_ns
        late: Floats = (rows["started"][begun] - rows["intended"][begun]) / SECOND
        return late

    def of(self, name: str = "", *, journeys: bool = False) -> Requests:
        """The requests (or journeys) of this name; all when it is empty."""
        chosen = self.journeys if journeys else self.requests
        if not name:
            return chosen
        number = self.names.index(name) if name in self.names else -1
        return chosen.where(chosen.name == number)

    def names_of(self, requests: Requests) -> tuple[str, ...]:
        return tuple(self.names[i] for i in np.unique(requests.name))

    def _select(self, *, journeys: bool) -> Requests:
        flags, outcome = self.rows["flags"], self.rows["outcome"]
        kind = np.bool_(journeys) == ((flags & Flag.JOURNEY) != 0)
        judged = (flags & Flag.UNJUDGED) == 0
        rows = self.rows[kind & judged & (outcome != Outcome.DROPPED)]
        rows = rows[np.argsort(rows["intended"], kind="stable")]
        return self._columns(rows, 0.0 if journeys else self.timeout_s)

    def _columns(self, rows: Rows, timeout_s: float) -> Requests:
        good = rows["outcome"] == Outcome.OK
        if timeout_s:
            good &= rows["ended"] - rows["intended"] <= round(timeout_s * SECOND)
        return Requests(
            (rows["intended"] - self.epoch.mono_ns) / SECOND,
            (rows["ended"] - self.epoch.mono_ns) / SECOND,
            good,
            rows["outcome"].astype(np.int64),
            rows["name"].astype(np.int64),
        )


def observe(directory: RunDirectory) -> Observation:
    """What was measured in a run; rows up to the last whole one of each worker."""
    recording = read(directory.path)
    load = directory.plan().load
    return Observation(
        recording.rows, recording.names, directory.facts().epoch, load.timeout if load else 0.0
    )
