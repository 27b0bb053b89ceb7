"""Runs a command as root under user-mode Linux: a kernel of its own that has netem, up in seconds.

Its root file system is this machine's, through hostfs (it may be written), with /run, /tmp and
/dev/shm of its own. What the command prints and its exit status are ours.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

MODULES = (
    "sch_netem", "sch_prio", "sch_ingress", "cls_u32", "act_mirred", "ifb", "veth", "bridge", "tun",
)  # fmt: skip
_LIBRARY = Path("/usr/lib/uml/modules")
_INIT = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys
for place in /run /dev/shm; do mkdir -p $place; mount -t tmpfs none $place; done
ln -sf /proc/self/fd /dev/fd; mkdir -p /run/netns; ip link set lo up
echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range
for module in {modules}; do modprobe -q -d {place}/modules $module; done
cd {cwd}; setsid bash {place}/command </dev/null >{place}/out 2>&1; echo $? > {place}/status
sync; echo o > /proc/sysrq-trigger; while :; do sleep 1; done
"""


def why_not() -> str:
    if not shutil.which("linux.uml") or not _LIBRARY.is_dir():
        return "user-mode Linux is not installed (apt-get install user-mode-linux kmod)"
    return ""


def run(
    *argv: str, environment: dict[str, str], within_s: float
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="uml-", dir="/var/tmp") as directory:
        place = Path(directory)
        _dress(place, argv, environment)
        subprocess.run(
            [str(shutil.which("linux.uml")), "mem=1G", "root=/dev/root", "rootfstype=hostfs",
             "rootflags=/", "rw", f"init={place}/init", "con=null", "con0=null,null", "quiet",
             f"umid=u{os.getpid()}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=within_s, check=False,
        )  # fmt: skip
        said = (place / "out").read_text() if (place / "out").exists() else ""
        ended = place / "status"
        status = int(ended.read_text()) if ended.exists() else 125
        return subprocess.CompletedProcess(argv, status, said)


def _dress(place: Path, argv: tuple[str, ...], environment: dict[str, str]) -> None:
    version = next(_LIBRARY.iterdir())
    there = place / "modules/lib/modules"
    there.mkdir(parents=True)
    (there / version.name).symlink_to(version)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    (place / "command").write_text("\n".join([*exports, shlex.join(argv)]) + "\n")
    init = place / "init"
    init.write_text(_INIT.format(modules=" ".join(MODULES), place=place, cwd=Path.cwd()))
    init.chmod(0o755)
