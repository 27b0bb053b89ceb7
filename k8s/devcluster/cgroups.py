"""Each node has cgroups of its own below one folder of the machine's (version 1)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from devcluster.layout import Failed, Layout
from devcluster.shell import read

TOP = Path("/sys/fs/cgroup")
_KNOWN = (
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids",
    "hugetlb", "perf_event", "net_cls", "net_prio", "systemd",
)  # fmt: skip
_REMOVAL_S = 5.0


def hierarchies() -> tuple[str, ...]:
    """Those that are mounted here. Raises `Failed` on a machine with cgroup version 2 alone."""
    found = tuple(h for h in _KNOWN if (TOP / h).is_mount() or (TOP / h).is_symlink())
    if "memory" not in found:
        raise Failed("this machine has no cgroup version 1: install Docker and kind instead")
    return found


def make(layout: Layout, node: str) -> None:
    for hierarchy in hierarchies():
        for path in (TOP / hierarchy / layout.link, TOP / hierarchy / layout.link / node):
            path.mkdir(exist_ok=True)
            if hierarchy == "cpuset":
                _inherit(path)


def _inherit(path: Path) -> None:
    """A new cpuset is empty, and nothing can run in it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not read(path / name):
            (path / name).write_text(read(path.parent / name), encoding="utf-8")


def join(layout: Layout, node: str) -> None:
    """Put this process, and all that it starts, from now on."""
    for hierarchy in hierarchies():
        (TOP / hierarchy / layout.link / node / "cgroup.procs").write_text("0", encoding="utf-8")


def kill(layout: Layout) -> None:
    """All that lives in the cluster's cgroups: what nobody remembers the pid of."""
    for procs in (TOP / "memory" / layout.link).glob("**/cgroup.procs"):
        for pid in read(procs).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def remove(layout: Layout, node: str = "") -> None:
    """A node's, or all of the cluster's. Raises `Failed` when something still lives in them."""
    tops = [TOP / h / layout.link / node for h in hierarchies()]
    deadline = time.monotonic() + _REMOVAL_S
    while left := [top for top in tops if not _removed(top)]:
        if time.monotonic() > deadline:
            raise Failed(f"left over, because something lives in it: {', '.join(map(str, left))}")
        time.sleep(0.02)


def _removed(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return not top.exists()
