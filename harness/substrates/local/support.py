"""Can a local world be made on this machine: tried for real, with the cure where it cannot.

Ubuntu lets an ordinary user make a user namespace but takes its powers away, so only doing all that
a world does first tells. The trial is a child process and leaves nothing.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

_TRIAL = """
import os
from harness.mechanisms.namespaces import *
from harness.substrates.local.processes import map_ids
uid, gid = os.getuid(), os.getgid()
unshare(NEW_USER | NEW_NS | NEW_PID | NEW_NET | NEW_IPC)
map_ids(0, uid, gid)
pid = os.fork()
if pid == 0:
    try:
        die_with_parent()
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        mount("tmpfs", "/run", "tmpfs")
        mount("proc", "/proc", "proc")
        with Netlink() as net:
            net.add_bridge("br0")
        unshare(NEW_USER)
        map_ids(1000, 0, 0)
        os._exit(0)
    except OSError as error:
        os.write(2, str(error).encode())
        os._exit(1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
_TIMEOUT_S = 20

#: A setting of the kernel, the value that refuses us, and the cure.
_SETTINGS = (
    (
        "kernel/apparmor_restrict_unprivileged_userns", "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "kernel/unprivileged_userns_clone", "0",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
)  # fmt: skip


@cache
def why_not() -> str:
    """Empty when a local world can be made here; else the reason, and the cure."""
    if sys.platform != "linux":
        return f"a local world needs Linux namespaces, and this is {sys.platform}"
    trial = [sys.executable, "-P", "-c", _TRIAL]
    try:
        done = subprocess.run(
            trial, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"making namespaces took longer than {_TIMEOUT_S} s"
    if done.returncode == 0:
        return ""
    said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return f"user namespaces are refused on this machine ({said}); {_cure()}"


def _cure() -> str:
    for setting, refusing, cure in _SETTINGS:
        path = Path("/proc/sys", setting)
        if path.exists() and path.read_text().strip() == refusing:
            return f"{setting.replace('/', '.')} is {refusing}: allow them with `{cure}`"
    allow = "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"
    return f"in a container, start it with `{allow}`"
