"""The ground of a loopback world: ordinary processes, each replica under its keeper, and proxies.

A proxy that ends is started again at once on the same sockets, without toxics: the system goes on,
and whoever asked for a toxic sees that it is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Collection
from pathlib import Path

from harness.agent.effects import Process
from harness.mechanisms.namespaces import die_with_parent
from harness.mechanisms.place import KEEPERS, Keeper, note_keeper
from harness.mechanisms.processes import children, family, kept_by
from harness.substrates.local import processes
from harness.substrates.local.ground import Start
from harness.substrates.local.layout import CLIENT
from harness.substrates.loopback.keeper import GRACE_S, end_descendants, start_kept
from harness.substrates.loopback.layout import DATA, MAINS
from harness.substrates.loopback.proxies import Proxies
from harness.substrates.loopback.shared_memory import free
from harness.substrates.loopback.spec import LoopbackSpec

_TICK_S = 0.01
#: No process has begun then: of a keeper that has ended already nothing is to be found.
_NEVER = -1


class Loopback:
    def __init__(self, spec: LoopbackSpec) -> None:
        self.hosts = ("", CLIENT, *spec.ports)
        self._spec = spec
        self._place = Path(spec.place)
        self._keepers: dict[str, Keeper] = {}
        self._mains: set[int] = set()
        self._proxies = Proxies(spec)

    def start(self, what: Start) -> int:
        parent = os.getpid()
        return processes.start(what, lambda: self._settle(parent, what.service))

    def start_replica(self, what: Start) -> int:
        self._make_data(what.host)
        pid = start_kept(what, self._become_ordinary)
        begun = family(pid)
        self._mains |= {process.pid for process in begun[1:]}
        with (self._place / MAINS).open("a") as known:
            known.writelines(f"{process.pid}\n" for process in begun[1:])
        start = begun[0].start if begun else _NEVER
        keeper = self._keepers[what.host] = Keeper(pid, start, self._spec.ports[what.host])
        note_keeper(self._place / KEEPERS / what.host, keeper)
        return pid

    def processes(self, replica: str) -> tuple[Process, ...]:
        return tuple(kept_by(self._keepers.get(replica)))

    def socket(self, host: str) -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def ended(self, pid: int) -> str:
        return self._proxies.ended(pid)

    def tend(self, known: Collection[int]) -> None:
        """What a keeper that was killed has left comes to us: it is nobody's."""
        dead = {pid for pid in self._mains if not family(pid)}
        self._mains -= dead
        free(dead)
        ours = {*known, *self._proxies.pids}
        for child in children(os.getpid()):
            if child.pid not in ours:
                _signal(child.pid, signal.SIGKILL)

    def close(self) -> None:
        """End everything: proxies first, so that servers need not wait for their clients."""
        for pid in self._proxies.pids:
            _signal(pid, signal.SIGKILL)
        for child in children(os.getpid()):
            _signal(child.pid, signal.SIGTERM)
        until = time.monotonic() + GRACE_S + 0.5
        while children(os.getpid()) and time.monotonic() < until:
            list(processes.ended_children())
            time.sleep(_TICK_S)
        end_descendants()

    # ------------------------------------------------------------ helpers

    def _settle(self, parent: int, service: bool) -> None:
        if service:
            self._become_ordinary()
        die_with_parent()
        if os.getppid() != parent:
            raise ProcessLookupError("the world has ended")

    def _become_ordinary(self) -> None:
        if self._spec.drop_to:
            os.setgroups([])
            os.setgid(self._spec.drop_to)
            os.setuid(self._spec.drop_to)

    def _make_data(self, replica: str) -> None:
        path = self._place / DATA / replica
        path.mkdir(mode=0o700, exist_ok=True)
        if self._spec.drop_to:
            os.chown(path, self._spec.drop_to, self._spec.drop_to)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
