"""What a load worker says about itself: a line of JSON each 100 ms in `load.N.jsonl`.

Besides states there are a few events: `ready`, `broken` (the user's file cannot be used, with the
reason) and `ended`. A reader must expect a torn last line; it never stops the reading.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EventName = Literal["ready", "broken", "ended"]


@dataclass(frozen=True)
class Status:
    """A worker's state at monotonic instant `at`, counted in arrivals since the load began.

    `oldest_due` is when the oldest request in flight was due; `overdue` how many in flight are
    older than their timeout. `late_p99_ms` is of the last 1000 arrivals, `cpu` the share of one
    core, `gc_ms` the longest garbage collection and `stall_ms` the longest time for which the loop
    stood still, both since the line before.
    """

    at: int
    due: int
    sent: int
    dropped: int
    done: int
    in_flight: int
    oldest_due: int | None
    overdue: int
    late_p99_ms: float
    cpu: float
    gc_ms: float
    stall_ms: float = 0.0


@dataclass(frozen=True)
class Event:
    """`says` are sentences for a person."""

    at: int
    event: EventName
    says: tuple[str, ...] = ()


class StatusFile:
    """Appends lines; one writer."""

    def __init__(self, directory: Path, worker: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path_of(directory, worker), flags, 0o644)

    def state(self, status: Status) -> None:
        self._append(status)

    def event(self, event: EventName, *says: str) -> None:
        self._append(Event(time.monotonic_ns(), event, says))

    def _append(self, line: Status | Event) -> None:
        text = json.dumps(dataclasses.asdict(line), separators=(",", ":"))
        os.write(self._fd, text.encode() + b"\n")


def path_of(directory: Path, worker: int) -> Path:
    return directory / f"load.{worker}.jsonl"


def parse(line: bytes) -> Status | Event | None:
    """A line as it was written; None for one that is torn."""
    try:
        data = json.loads(line)
        if "event" in data:
            return Event(data["at"], data["event"], tuple(data["says"]))
        return Status(**data)
    except (ValueError, KeyError, TypeError):
        return None
