"""What was measured: the recording of a run as requests and journeys, ready to be counted.

What is good, and which rows count, is decided in `requests`. Rows that the generator dropped say
nothing about the system and appear nowhere but in `dropped`. Nothing here holds a recording that is
large: 10^8 rows are judged within 300 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.clock import SECOND, Epoch
from harness.load.ranks import Ranks
from harness.load.reading import stored
from harness.load.recording import Rows
from harness.load.sent import Sent
from harness.load.stored import Held, Store
from harness.measure.requests import (
    Bools,
    Box,
    Chosen,
    Floats,
    Ints,
    Part,
    Requests,
    after,
    before,
)
from harness.record.directory import RunDirectory

__all__ = [
    "Bools",
    "Box",
    "Floats",
    "Ints",
    "Observation",
    "Part",
    "Requests",
    "after",
    "before",
    "observe",
]


@dataclass(frozen=True, eq=False)
class Observation:
    """All rows of a run. `names[i]` is what a row's `name` i says; `timeout_s` 0: there is none."""

    rows: Rows | Store
    names: tuple[str, ...]
    epoch: Epoch
    timeout_s: float = 0.0

    @cached_property
    def store(self) -> Store:
        return Held(self.rows) if isinstance(self.rows, np.ndarray) else self.rows

    @cached_property
    def requests(self) -> Requests:
        """Every judged request, the warm-up's too (windows leave those out)."""
        timeout_ns = round(self.timeout_s * SECOND)
        return Requests(self.store, Chosen(False, self.epoch.mono_ns, timeout_ns))

    @cached_property
    def journeys(self) -> Requests:
        """Whole tasks; no timeout is theirs, since each of their requests has one."""
        return Requests(self.store, Chosen(True, self.epoch.mono_ns, 0))

    @cached_property
    def sent(self) -> Sent:
        """How the generator did: what it sent, dropped, and how late."""
        return Sent(self.store, self.epoch.mono_ns)

    @property
    def dropped(self) -> int:
        """Arrivals that the generator could not send."""
        return self.sent.dropped

    @property
    def lateness(self) -> Ranks:
        """How late the generator began each arrival after the warm-up, in seconds."""
        return self.sent.lateness

    def of(self, name: str = "", *, journeys: bool = False) -> Requests:
        """The requests (or journeys) of this name; all when it is empty."""
        chosen = self.journeys if journeys else self.requests
        if not name:
            return chosen
        key = (name, journeys)
        if key not in self._named:
            number = self.names.index(name) if name in self.names else len(self.names)
            self._named[key] = chosen.named(number)
        return self._named[key]

    def names_of(self, requests: Requests) -> tuple[str, ...]:
        return tuple(self.names[number] for number in requests.names)

    @cached_property
    def _named(self) -> dict[tuple[str, bool], Requests]:
        """Kept, so that what one objective counted is not counted again for the next."""
        return {}


def observe(directory: RunDirectory) -> Observation:
    """What was measured in a run; rows up to the last whole one of each worker."""
    rows, names = stored(directory.path)
    load = directory.plan().load
    return Observation(rows, names, directory.facts().epoch, load.timeout if load else 0.0)
