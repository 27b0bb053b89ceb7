"""Runs that are started in one moment start in turn: so many at once as the machine has cores for.

Each start takes a second or two of a core. Fifty at once would all be slow, and miss deadlines that
say that something is broken. A turn is a `flock`, so a killed run takes none; it is over as soon as
the run's system is up.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.run import state

_A_CORE = 2
_LOOK_S = 0.1


@contextmanager
def turn(waiting: Callable[[str], None]) -> Iterator[None]:
    """Wait for a turn, without end: who holds one loses it when it dies. `waiting` is told so."""
    places = [_turns() / str(n) for n in range(_A_CORE * (os.cpu_count() or 1))]
    if (taken := _taken(places)) is None:
        waiting(f"waiting: {len(places)} other runs are starting their systems")
    while taken is None:
        time.sleep(random.uniform(0.5, 1.5) * _LOOK_S)
        taken = _taken(places)
    try:
        yield
    finally:
        os.close(taken)


def _taken(places: list[Path]) -> int | None:
    """The descriptor that holds the first free one."""
    for place in places:
        fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
        else:
            return fd
    return None


def _turns() -> Path:
    path = state.home() / "turns"
    path.mkdir(exist_ok=True)
    return path
