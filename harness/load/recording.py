"""The recording: one binary row a request, appended in blocks by each load worker.

A file `recording.N.bin` is a 64-byte header (magic, row size, worker, epoch) and rows of `ROW`.
Names of requests stand in `recording.N.names`, one a line; a row's `name` is the line's number.
All times are monotonic nanoseconds, one clock for the whole machine. After a SIGKILL the file is
readable up to its last whole row.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np


class Outcome(IntEnum):
    """What became of a request. Everything but OK is a failure of the system, except DROPPED,
    which is one of the generator, and SKIPPED: prevented by an earlier failure of its task."""

    OK = 0
    STATUS = 1  # an HTTP status of 400 or more, or an error that the client raised for an answer
    TIMEOUT = 2
    REFUSED = 3
    RESET = 4
    CONTENT = 5
    OTHER = 6
    SKIPPED = 7
    DROPPED = 8


class Flag(IntEnum):
    FIRST = 1  # the first request of its task: timed from when it was due
    JOURNEY = 2  # not a request: a whole task
    UNJUDGED = 4  # on_start and the like: recorded, never judged


ROW = np.dtype([
    ("intended", "<i8"), ("started", "<i8"), ("ended", "<i8"), ("bytes", "<u4"),
    ("arrival", "<u4"), ("name", "<u2"), ("status", "<u2"), ("worker", "<u2"),
    ("outcome", "u1"), ("flags", "u1"),
])  # fmt: skip

HEADER = np.dtype([
    ("magic", "S8"), ("row", "<u4"), ("worker", "<u4"), ("epoch", "<i8"), ("rest", "S40"),
])  # fmt: skip
MAGIC = b"HXREC01\n"

Rows = np.ndarray[Any, np.dtype[Any]]

assert (ROW.itemsize, HEADER.itemsize) == (40, 64)
