"""System V shared memory of processes that are gone: no namespace takes it along here.

PostgreSQL, killed, leaves a segment. It names its creator by pid, and nobody is attached.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Collection
from pathlib import Path

_TABLE = Path("/proc/sysvipc/shm")
_REMOVE = 0


def free(creators: Collection[int]) -> None:
    """Remove the segments that these processes, all dead, have made and that nobody uses."""
    if creators:
        libc = ctypes.CDLL(None)
        for identifier in _left_by(creators):
            libc.shmctl(identifier, _REMOVE, None)


def _left_by(creators: Collection[int]) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for line in _TABLE.read_text().splitlines()[1:]:
            _, identifier, _, _, creator, _, attached, *_ = line.split()
            if int(creator) in creators and attached == "0":
                found.append(int(identifier))
    return found
