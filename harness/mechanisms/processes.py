"""Finds the processes of a target in /proc, and signals exactly those.

A target on a cluster is everything in a pod, or in one of its containers, but its sandbox. One in a
world is everything in its network namespace that lives in another user namespace than ours: our
proxy and probes are there too, but in ours; where there are no namespaces, it is the descendants of
a keeper. An attached target is one pid, with its descendants. A process is known by pid and start
time, and signalled through a pidfd, so that a pid that was given to somebody else is never hit.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Container, Dict, List, Optional, Tuple

from harness.agent.effects import Process, Processes
from harness.mechanisms.namespaces import identity
from harness.mechanisms.place import Keeper, keeper_of
from harness.mechanisms.pods import inhabitants

_DEAD = "ZX"


@dataclass(frozen=True)
class Child:
    process: Process
    parent: int


def everybody(but: Container[int] = ()) -> List[Child]:
    """Every process that lives now; pids of `but` are not looked at."""
    pids = (pid for pid in _pids() if pid not in but)
    return [child for pid in pids if (child := _stat(pid)) is not None]


def as_now(process: Process) -> Optional[Process]:
    """The same with its state of now; None when it is gone."""
    now = _stat(process.pid)
    return now.process if now is not None and now.process.start == process.start else None


def find(target: Processes) -> Tuple[Process, ...]:
    """Those that live now, by pid."""
    if target.pod:
        found = _of_pod(target.pod, target.container)
    elif target.keeper:
        found = kept_by(keeper_of(target.keeper))
    else:
        found = _in_namespace(target.netns) if target.netns else family(target.pid, target.start)
    return tuple(sorted(found, key=lambda process: process.pid))


def send(process: Process, number: signal.Signals) -> bool:
    """Signal it; false when it is gone."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        now = _stat(process.pid)
        if now is None or now.process.start != process.start:
            return False
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def is_alive(process: Process) -> bool:
    return as_now(process) is not None


def name_of(process: Process) -> str:
    """Pid and start, as snapshots hold it."""
    return f"{process.pid}:{process.start}"


def _of_pod(uid: str, container: str) -> List[Process]:
    """Of one container, or (empty) of all."""
    mine = (member for member in inhabitants(uid) if container in member.container)
    stats = (_stat(member.pid) for member in mine)
    return [stat.process for stat in stats if stat is not None]


def kept_by(keeper: Optional[Keeper]) -> List[Process]:
    """All that descend from it, itself left out."""
    return family(keeper.pid, keeper.start)[1:] if keeper else []


def _in_namespace(netns: str) -> List[Process]:
    inode, ours = identity(netns), identity("/proc/self/ns/user")
    if inode is None:
        return []
    return [
        stat.process
        for pid in _pids()
        if identity(f"/proc/{pid}/ns/net") == inode
        and identity(f"/proc/{pid}/ns/user") not in (ours, None)
        and (stat := _stat(pid)) is not None
    ]


def every() -> List[Process]:
    """All of this machine that live."""
    return [stat.process for pid in _pids() if (stat := _stat(pid)) is not None]


def children(pid: int) -> List[Process]:
    """Those that live."""
    stats = (_stat(other) for other in _pids())
    return [stat.process for stat in stats if stat is not None and stat.parent == pid]


def family(pid: int, start: int = 0) -> List[Process]:
    """The process (whenever it began, without a start) and all that descend from it."""
    first = _stat(pid)
    if first is None or start not in (0, first.process.start):
        return []
    children: Dict[int, List[Child]] = {}
    for other in everybody():
        children.setdefault(other.parent, []).append(other)
    found = [first]
    for one in found:  # grows while it is walked
        found.extend(children.get(one.process.pid, ()))
    return [stat.process for stat in found]


def _pids() -> List[int]:
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def _stat(pid: int) -> Optional[Child]:
    """None when it is dead, also when nobody has waited for it yet."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        if fields[0] not in _DEAD:
            return Child(Process(pid, int(fields[19]), fields[0], command), int(fields[1]))
    return None
