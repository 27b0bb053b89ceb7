"""Everybody who belongs to a run, from the outside: its processes, and the namespaces they are in.

A process belongs to it that descends from one that does, or lives in a pid namespace of the run.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from harness.agent.effects import Process
from harness.mechanisms.processes import Child, as_now, everybody, send
from harness.substrates.attached.identity import start_of

_KINDS = ("net", "mnt", "pid", "ipc", "user")
_MECHANISM = b"harness.mechanisms."
_STANDING = b"harness.mechanisms.proxy_listening"
_AGENTS = (b"harness.agent.main", b"harness.substrates.attached.agent")
_WORLDS = (b".local.supervisor", b".loopback.supervisor")
_STOPPED = "T"


class Family:
    """`look` often: whoever came and lost all kin in between two looks is known by its namespace
    alone. `target` is looked at, too, but is nobody of the run, no more than those `beside`, whose
    namespaces are there before it."""

    def __init__(
        self, harness: int, target: Process | None, beside: Iterable[int] = ()
    ) -> None:  # fmt: skip
        self.frozen: set[tuple[int, int]] = set()  # those that we stopped
        self._root = harness
        self._begin = start_of(harness)
        self._target = target
        self._known: dict[tuple[int, int], Process] = {}
        self._strangers: set[int] = set()
        self._ours = set().union(*map(_namespaces, (os.getpid(), *beside)))
        #: Each with a descriptor of it: its number is nobody else's for as long as we look.
        self._namespaces: dict[str, int] = {}

    def close(self) -> None:
        for fd in self._namespaces.values():
            os.close(fd)

    def look(self) -> None:
        """Find newcomers, and forget the dead. Strangers are looked at once: no pid is given away
        again within the seconds of a run."""
        here = {_key(child.process): child for child in everybody(but=self._strangers)}
        pids = {pid for pid, _ in self._known.keys() & here.keys()} | {self._root}
        self._known = {key: here[key].process for key in self._known if key in here}
        new = [here[key] for key in here.keys() - self._known.keys()]
        for child in sorted(new, key=lambda child: child.process.start):
            if child.process.pid == self._root or child.parent in pids or self._is_in(child):
                self._take(child.process)
                pids.add(child.process.pid)
            else:
                self._strangers.add(child.process.pid)

    @property
    def alive(self) -> tuple[Process, ...]:
        return tuple(self._known.values())

    def traces(self) -> list[str]:
        """What an effect shows of itself now: processes that it stopped or that carry it out."""
        found = [f"{p.command} {p.pid} is stopped" for p in self._stopped()]
        return found + [f"{p.command} {p.pid} (a mechanism)" for p in self.mechanisms()]

    def mechanisms(self) -> list[Process]:
        """Those that there are for an effect; a proxy of loopback stands in any case."""
        commands = ((p, _command(p)) for p in self.alive)
        return [p for p, said in commands if _MECHANISM in said and _STANDING not in said]

    def targets(self) -> list[Process]:
        """Processes of the system; those of a world are started again."""
        if self._target:
            return [self._target]
        return [p for p in self.alive if b"selftest/tiny.py" in _command(p)]

    def agents(self) -> tuple[list[Process], list[Process]]:
        """Reapers, and agents."""
        found = [p for p in self.alive if any(name in _command(p) for name in _AGENTS)]
        return self._split(found)

    def supervisors(self) -> tuple[list[Process], list[Process]]:
        """Those that keep worlds, and the first processes in them."""
        found = [p for p in self.alive if any(name in _command(p) for name in _WORLDS)]
        return self._split(found)

    def namespaces_left(self) -> set[str]:
        """Not one that somebody is in who was there before: a switch of the run only entered it."""
        young, old = set[str](), set[str]()
        for child in everybody():
            there = young if child.process.start >= self._begin else old
            there.update(_namespaces(child.process.pid))
        return self._namespaces.keys() & young - old

    # ------------------------------------------------------------ helpers

    def _stopped(self) -> Iterable[Process]:
        mine = [*self.alive, *([self._target] if self._target else [])]
        found = (as_now(process) for process in mine if _key(process) not in self.frozen)
        return [process for process in found if process and process.state == _STOPPED]

    def _is_in(self, child: Child) -> bool:
        with contextlib.suppress(OSError):
            return str(Path(f"/proc/{child.process.pid}/ns/pid").readlink()) in self._namespaces
        return False

    def _take(self, process: Process) -> None:
        self._known[_key(process)] = process
        for kind in _KINDS:
            with contextlib.suppress(OSError):
                self._hold(os.open(f"/proc/{process.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC))

    def _hold(self, fd: int) -> None:
        name = str(Path(f"/proc/self/fd/{fd}").readlink())
        if name in self._ours or name in self._namespaces:
            os.close(fd)
        else:
            self._namespaces[name] = fd

    def _split(self, found: list[Process]) -> tuple[list[Process], list[Process]]:
        """Parents, and those of them that are their children."""
        pids = {process.pid for process in found}
        parent = {c.process.pid: c.parent for c in everybody() if c.process.pid in pids}
        first = [p for p in found if parent.get(p.pid) not in pids]
        heads = {p.pid for p in first}
        return first, [p for p in found if parent.get(p.pid) in heads]


def signalled(processes: Iterable[Process], number: signal.Signals) -> int:
    """How many were there to be hit."""
    return sum([send(process, number) for process in processes])


def _key(process: Process) -> tuple[int, int]:
    return process.pid, process.start


def _command(process: Process) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process.pid}/cmdline").read_bytes()
    return b""


def _namespaces(pid: int) -> set[str]:
    found = set()
    for kind in _KINDS:
        with contextlib.suppress(OSError):
            found.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
    return found
