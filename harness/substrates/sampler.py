"""Samples what replicas use, once a second: `python -m harness.substrates.sampler FILE TARGETS`.

TARGETS is a JSON list of [service, Processes]. Runs on a host of the world, from where the world's
/proc shows every replica's processes; ends with the world, or with the harness. A replica that is
down has a sample too: it uses nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.agent.effects import Processes, decode
from harness.clock import SECOND
from harness.mechanisms.namespaces import identity
from harness.mechanisms.place import keeper_of
from harness.record.resources import Sample, line_of

_EVERY_NS = SECOND
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_COUNTER = "TCPOrigDataSent"


@dataclass(frozen=True)
class Target:
    service: str
    processes: Processes


@dataclass(frozen=True)
class Used:
    """What one process uses now; `cpu_s` since it began, memory in bytes."""

    pid: int
    start: int
    parent: int
    cpu_s: float
    threads: int
    resident: int
    shared: int


def main(path: str, targets: str) -> None:
    sampler = Sampler([Target(service, decode(found)) for service, found in json.loads(targets)])
    due = time.monotonic_ns()
    with Path(path).open("a", buffering=1) as out:
        while True:
            out.writelines(map(line_of, sampler.samples(time.monotonic_ns())))
            due = max(due + _EVERY_NS, time.monotonic_ns())
            time.sleep((due - time.monotonic_ns()) / SECOND)


class Sampler:
    """Remembers what each process had used, so that those that end take nothing back."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._ours = identity("/proc/self/ns/user")
        self._cpu: dict[tuple[int, int], float] = {}
        self._answers: dict[str, int] = {}
        self._before = 0

    def samples(self, now: int) -> list[Sample]:
        """One for each target; the first call knows no CPU yet."""
        everything = [used for pid in _pids() if (used := _used(pid))]
        span_s = (now - self._before) / SECOND if self._before else 0.0
        found = [self._sample(now, target, everything, span_s) for target in self._targets]
        self._cpu = {(used.pid, used.start): used.cpu_s for used in everything}
        self._before = now
        return found

    def _sample(
        self, now: int, target: Target, everything: Sequence[Used], span_s: float
    ) -> Sample:
        mine = self._mine(target.processes, everything)
        spent = sum(used.cpu_s - self._cpu.get((used.pid, used.start), 0.0) for used in mine)
        return Sample(
            now, target.service, target.processes.target, len(mine), _memory(mine),
            round(spent / span_s, 4) if span_s else 0.0,
            sum(used.threads for used in mine), sum(_files(used.pid) for used in mine),
            self._answers_of(target.processes, mine),
        )  # fmt: skip

    def _mine(self, target: Processes, everything: Sequence[Used]) -> list[Used]:
        if target.keeper:
            return _kept(target, everything)
        if not target.netns:
            return _family(target.pid, target.start, everything)
        network = identity(target.netns)
        return [used for used in everything if self._lives_in(used.pid, network)]

    def _lives_in(self, pid: int, network: int | None) -> bool:
        """On that host, and no process of ours, which have the world's own user namespace."""
        there = identity(f"/proc/{pid}/ns/net") == network
        return there and identity(f"/proc/{pid}/ns/user") != self._ours

    def _answers_of(self, target: Processes, mine: Sequence[Used]) -> int | None:
        """As last seen while the replica is down: its network stays, and sends nothing."""
        if not target.netns:
            return None
        seen = next((n for used in mine if (n := _counter(used.pid)) is not None), None)
        if seen is not None:
            self._answers[target.target] = seen
        return self._answers.get(target.target)


def _memory(processes: Sequence[Used]) -> int:
    """Pages that they share (a server's buffers, libraries) are in memory once."""
    own = sum(used.resident - used.shared for used in processes)
    return own + max((used.shared for used in processes), default=0)


def _kept(target: Processes, everything: Sequence[Used]) -> list[Used]:
    keeper = keeper_of(target.keeper)
    return _family(keeper.pid, keeper.start, everything)[1:] if keeper else []


def _family(pid: int, start: int, everything: Sequence[Used]) -> list[Used]:
    """The process and all that descend from it."""
    found = [used for used in everything if (used.pid, used.start) == (pid, start)]
    for used in found:
        found += [child for child in everything if child.parent == used.pid]
    return found


def _pids() -> Iterable[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _used(pid: int) -> Used | None:
    """None for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    except (OSError, ValueError):
        return None
    if fields[0] in "ZX":
        return None
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS
    return Used(
        pid, int(fields[19]), int(fields[1]), cpu_s, int(fields[17]), resident * _PAGE,
        shared * _PAGE,
    )  # fmt: skip


def _files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def _counter(pid: int) -> int | None:
    """How many TCP segments with data its network has sent; None when it cannot be read."""
    try:
        lines = Path(f"/proc/{pid}/net/netstat").read_text().splitlines()
    except OSError:
        return None
    named = [line.split() for line in lines if line.startswith("TcpExt:")]
    values = dict(zip(*named, strict=True)) if len(named) == 2 else {}
    return int(values[_COUNTER]) if _COUNTER in values else None


if __name__ == "__main__":
    main(*sys.argv[1:])
