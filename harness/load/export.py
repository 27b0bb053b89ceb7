"""Recordings in formats that other tools read; each format is a file `export_<name>` with `write`.

A writer gets rows in parts, by when they were due, and holds no more than one. It writes bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Protocol, cast

import numpy as np

from harness.clock import SECOND, Epoch
from harness.load.ranks import Floats, Ints
from harness.load.recording import Outcome, Rows

NAMES = ("text", "csv", "parquet", "hlog", "vegeta")

#: What outcomes are called outside.
OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)


@dataclass(frozen=True)
class Taken:
    """What was taken of a recording: `parts` gives it again each time it is called."""

    parts: Callable[[], Iterator[Rows]]
    names: tuple[str, ...]
    epoch: Epoch
    run_id: str

    def seconds(self, instants: Ints) -> Floats:
        """Since the end of the warm-up."""
        seconds: Floats = (instants - self.epoch.mono_ns) / SECOND
        return seconds

    def wall_ns(self, instants: Ints | np.int64) -> Ints:
        """Unix nanoseconds."""
        return np.asarray(instants - self.epoch.mono_ns + self.epoch.wall_ns)


class Writer(Protocol):
    def write(self, taken: Taken, out: BinaryIO) -> None: ...


def find(name: str) -> Writer:
    """The writer of this format, which must be one of `NAMES`."""
    return cast("Writer", importlib.import_module(f"harness.load.export_{name}"))


def date(wall_ns: int) -> str:
    """RFC 3339 with all nine digits."""
    second, rest = divmod(wall_ns, SECOND)
    return f"{datetime.fromtimestamp(second, tz=UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
