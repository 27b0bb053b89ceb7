"""The proxies of a loopback world as its supervisor keeps them: one process for each caller.

Their sockets are the supervisor's, so that callers wait while a proxy is started again, and nobody
else can take a port.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from pathlib import Path

from harness.mechanisms import proxy_listening
from harness.substrates.local import processes
from harness.substrates.local.ground import Start
from harness.substrates.local.layout import own_environment
from harness.substrates.loopback.layout import WORLD
from harness.substrates.loopback.spec import ADDRESS, Caller, LoopbackSpec, Passage

_SHORT_LIFE_S = 1.0


class Proxies:
    def __init__(self, spec: LoopbackSpec) -> None:
        self._world, place = spec.name, Path(spec.place)
        self._edges = {c: [_opened(place, p) for p in c.passages] for c in spec.callers}
        self._running: dict[int, tuple[Caller, float]] = {}
        for caller in spec.callers:
            self._start(caller)

    @property
    def pids(self) -> Collection[int]:
        return tuple(self._running)

    def ended(self, pid: int) -> str:
        """What to tell of a child's end: nothing when it was no proxy."""
        caller, began = self._running.pop(pid, (None, 0.0))
        if caller is None:
            return ""
        if time.monotonic() - began < _SHORT_LIFE_S:
            return f"the proxy of {caller.name} is given up: it ended at once"
        self._start(caller)
        return f"the proxy of {caller.name} ended and was started again"

    def _start(self, caller: Caller) -> None:
        edges = self._edges[caller]
        argv = (sys.executable, *proxy_listening.arguments(edges))
        opened = [s for c, doors in edges for s in (c, *(door for door, _ in doors))]

        def hand_down() -> None:
            for one in opened:
                one.set_inheritable(True)

        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            stdio = (nothing, nothing, 2)
            what = Start("", argv, {**own_environment(), WORLD: self._world}, "/", False, stdio)
            pid = processes.start(what, hand_down)
        finally:
            os.close(nothing)
        self._running[pid] = caller, time.monotonic()


def _opened(place: Path, passage: Passage) -> proxy_listening.Opened:
    """Raises OSError."""
    doors = [
        (proxy_listening.door(ADDRESS, d.port), [(ADDRESS, goal) for goal in d.goals])
        for d in passage.doors
    ]
    return proxy_listening.ear(str(place / passage.control)), doors
