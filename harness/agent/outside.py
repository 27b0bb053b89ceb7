"""The reaper of an agent in a pod outlives the pod: it leaves the pod's cgroup, and its files.

A container is ended by killing everything in its cgroup. The reaper moves into the cgroup of the
node's init instead (the pod shares the node's pids), and imports all that it may need while the
image is still there. It still ends when the agent has, everything taken back.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Dict, Tuple

from harness.agent.ladder import LADDER

_MOUNTS = Path("/proc/1/root/sys/fs/cgroup")


def move_out() -> None:
    """Where that is refused it is said on stderr; then the lease and the kubelet are left."""
    for places in LADDER.values():
        for place in places:
            importlib.import_module(place.partition(":")[0])
    theirs = cgroups_in(Path("/proc/1/cgroup").read_text())
    for names, path in cgroups_in(Path("/proc/self/cgroup").read_text()).items():
        if theirs.get(names, path) != path:
            _enter(names, theirs[names])


def cgroups_in(text: str) -> Dict[Tuple[str, ...], str]:
    """The path in each hierarchy (by its controllers, none for version 2), seen from its root."""
    found = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        found[tuple(names.split(",")) if names else ()] = os.path.normpath(path)
    return found


def _enter(names: Tuple[str, ...], path: str) -> None:
    folders = (",".join(names), *(name.replace("name=", "") for name in names))
    for folder in (*folders, "unified", ""):
        procs = _MOUNTS / folder / path.lstrip("/") / "cgroup.procs"
        try:
            procs.write_text(str(os.getpid()))
        except OSError:
            continue
        return
    sys.stderr.write(f"the reaper stays in its pod's cgroup ({','.join(names) or 'v2'})\n")
