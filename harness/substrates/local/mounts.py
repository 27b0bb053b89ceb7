"""The file systems of a world: private /tmp, /run and /dev/shm, its own /proc, names and users.

Runs once, in the world's first process. All of it lives in the world's mount namespace and goes
with it. Caveat: the rest of the file system is the machine's own, and writable as always.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.mechanisms.namespaces import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    mount,
)
from harness.substrates.local.spec import DATA, HOME, NETNS, PRIVATE, WorldSpec

_ETC = "/run/harness/etc"
_MODES = {"/run": "mode=0755"}
_USERS = """\
root:x:0:0:root:/run/harness/home:/bin/sh
harness:x:1000:1000:harness:/run/harness/home:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
"""
_GROUPS = "root:x:0:\nharness:x:1000:\nnogroup:x:65534:\n"


def build(spec: WorldSpec) -> None:
    os.chdir("/")
    os.umask(0o022)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    kept = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in _outermost(spec.keep)}
    for place in PRIVATE:
        mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, _MODES.get(place, "mode=1777"))
    for path, fd in kept.items():
        _show(path, fd)
    for directory in (_ETC, DATA, HOME, NETNS):
        Path(directory).mkdir(parents=True, exist_ok=True)
    _cover_files(spec.names)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _outermost(paths: tuple[str, ...]) -> list[str]:
    """Those in private places that no other one contains."""
    hidden = sorted({path for path in paths if is_private(path)})
    return [p for p in hidden if not any(Path(q) in Path(p).parents for q in hidden)]


def is_private(path: str) -> bool:
    """It lies in a place that the world replaces."""
    return any(Path(place) in Path(path).parents for place in PRIVATE)


def _show(path: str, fd: int) -> None:
    """Bind what was there before onto the same path of the new file system."""
    Path(path).mkdir(parents=True, exist_ok=True)
    mount(f"/proc/self/fd/{fd}", path, flags=MS_BIND | MS_REC)
    os.close(fd)


def _cover_files(names: str) -> None:
    _cover("/etc/hosts", names)
    _cover("/etc/host.conf", "multi on\n")
    _cover("/etc/passwd", _USERS)
    _cover("/etc/group", _GROUPS)
    _cover("/etc/resolv.conf", "")
    _cover("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n")


def _cover(path: str, text: str) -> None:
    """Let `path` read so. A link into a private place (resolv.conf often is one) is led there."""
    target = os.path.realpath(path)
    if is_private(target):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_text(text)
        return
    ours = Path(_ETC, Path(path).name)
    ours.write_text(text)
    with contextlib.suppress(FileNotFoundError):
        mount(str(ours), target, flags=MS_BIND)
