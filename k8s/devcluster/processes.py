"""The first process of each node, as the machine sees it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from devcluster.layout import Failed, Layout
from devcluster.shell import read, run, write

_DEATH_S = 10.0


def pid_of(layout: Layout, node: str) -> int:
    """Of its PID 1, or 0 when the node is off. A number that was reused is not it."""
    pid, _, born = read(layout.folder(node) / "pid").partition(" ")
    return int(pid) if born and _born(pid) == born else 0


def remember(layout: Layout, node: str, pid: str) -> None:
    write(layout.folder(node) / "pid", f"{pid} {_born(pid)}")


def living(layout: Layout, node: str) -> int:
    pid = pid_of(layout, node)
    if not pid:
        raise Failed(f"{node} is off")
    return pid


def inside(layout: Layout, node: str) -> list[str]:
    """What to put before a command that is to run in the node, as if typed there."""
    pid = str(living(layout, node))
    return ["nsenter", "-t", pid, "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w"]


def in_network(layout: Layout, node: str, *command: str) -> str:
    return run("nsenter", "-t", str(living(layout, node)), "-n", *command)


def kill(layout: Layout, node: str) -> None:
    """All processes of the node at once, and wait until the kernel is through with them."""
    pid = pid_of(layout, node)
    if not pid:
        return
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)
    deadline = time.monotonic() + _DEATH_S
    while pid_of(layout, node):
        if time.monotonic() > deadline:
            raise Failed(f"{node} (pid {pid}) does not die")
        time.sleep(0.01)


def _born(pid: str) -> str:
    """When it started, in clock ticks; nothing for one that is gone or only waits to be buried."""
    after_name = read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return after_name[19] if after_name and after_name[0] not in "ZX" else ""
