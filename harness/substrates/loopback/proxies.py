"""The proxies of a loopback world as its supervisor keeps them: one process for each caller.

Their sockets are the supervisor's, so that callers wait while a proxy is started again, and nobody
else can take a port.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Collection
from pathlib import Path

from harness.substrates.local import processes
from harness.substrates.local.ground import Start
from harness.substrates.local.layout import own_environment
from harness.substrates.loopback.layout import WORLD
from harness.substrates.loopback.spec import ADDRESS, Caller, LoopbackSpec, Passage

_BACKLOG = 512
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
        argv = (
            sys.executable, "-P", "-m", "harness.mechanisms.proxy_listening", str(os.getpid()),
            json.dumps([(c.fileno(), [(d.fileno(), goals) for d, goals in doors])
                        for c, doors in edges]),
        )  # fmt: skip
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


#: The socket of an edge where its proxy is told, and its doors, each with where they lead.
_Edge = tuple[socket.socket, list[tuple[socket.socket, list[tuple[str, int]]]]]


def _opened(place: Path, passage: Passage) -> _Edge:
    """Raises OSError."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(str(place / passage.control))
    control.listen(_BACKLOG)
    doors = [(_door(d.port), [(ADDRESS, goal) for goal in d.goals]) for d in passage.doors]
    return control, doors


def _door(port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((ADDRESS, port))
    door.listen(_BACKLOG)
    return door
