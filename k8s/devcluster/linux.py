"""The system calls that Python does not have."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

BIND, RECURSIVE, PRIVATE, SHARED = 1 << 12, 1 << 14, 1 << 18, 1 << 20
_NEW_NAMESPACES = 0x20000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def unshare() -> None:
    """New mount, cgroup, UTS, IPC, network namespaces; a new pid namespace for the children."""
    _check(_libc.unshare(_NEW_NAMESPACES), "unshare")


def mount(
    source: str | Path, target: str | Path, kind: str = "", flags: int = 0, options: str = ""
) -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode() or None)
    done = _libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None)
    _check(done, f"mount {kind} {source} on {target} {options}")


def pivot_root(root: Path) -> None:
    """`root` becomes /; the old one is let go of."""
    os.chdir(root)
    _check(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), f"pivot_root {root}")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
