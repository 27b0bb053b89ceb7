"""Namespaces, mounts and a process's ties to its parent, by the C library.

`inside(path, function)` runs a function in another network namespace, in a thread of its own that
ends with it; sockets made there stay there. Caveat: a child process started inside must not be
tied to its parent by `die_with_parent`, since that means the parent *thread*.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import threading
from pathlib import Path
from typing import Any, Callable, List, Optional, TypeVar, Union

from harness.mechanisms.netlink import Netlink

NEW_NS, NEW_UTS, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PID, NEW_NET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SIOCETHTOOL = 0x8946
#: ETHTOOL_S* of tx checksums, scatter-gather, TSO, GSO, GRO, in an order that the kernel takes.
_OFFLOADS = (0x1F, 0x24, 0x2C, 0x19, 0x17)

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def inside(netns: Union[str, int], function: Callable[[], T]) -> T:
    """What `function` returns or raises in that network namespace (a path or a descriptor)."""
    results: List[T] = []
    errors: List[BaseException] = []

    def go() -> None:
        try:
            enter(netns, NEW_NET)
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def new_netns() -> int:
    """A new network namespace with its loopback up, held by the descriptor that is returned."""
    found: List[int] = []

    def make() -> None:
        unshare(NEW_NET)
        found.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        with Netlink() as net:
            net.up("lo")

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thread.join()
    if not found:
        raise OSError("a network namespace could not be made")
    return found[0]


def tried_apart(attempt: Callable[[], object], says: str) -> str:
    """Why an attempt fails where it does no harm, in a network namespace of its own; empty when it
    works. `says` is the message, with `{}` for the kernel's reason."""
    try:
        netns = new_netns()
    except OSError as error:
        return f"no network namespace can be made: {error}"
    try:
        inside(netns, attempt)
    except OSError as error:
        return says.format(error.strerror or error)
    finally:
        os.close(netns)
    return ""


class Once:
    """What `look` returned the first time. Threads that ask meanwhile wait for it: thirty tries at
    once of what the kernel does one by one would take seconds."""

    def __init__(self, look: Callable[[], str]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._found: Optional[str] = None

    def __call__(self) -> str:
        with self._lock:
            if self._found is None:
                self._found = self._look()
            return self._found


def enter(namespace: Union[str, int], kind: int) -> None:
    """Move the calling thread into a namespace, given by path or descriptor. To stay in the own
    network takes no privilege."""
    if kind == NEW_NET and Path("/proc/thread-self/ns/net").stat().st_ino == _inode(namespace):
        return
    if isinstance(namespace, int):
        _check(_libc.setns(namespace, kind), "setns")
        return
    fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, kind), f"setns {namespace}")
    finally:
        os.close(fd)


def _inode(namespace: Union[str, int]) -> int:
    return (os.fstat if isinstance(namespace, int) else os.stat)(namespace).st_ino  # type: ignore[arg-type]


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces of these kinds."""
    _check(_libc.unshare(flags), f"unshare {flags:#x}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    done = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None
    )
    _check(done, f"mount {source} on {target}")


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    _check(_libc.umount2(target.encode(), flags), f"unmount {target}")


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """The kernel sends this process that signal when the thread that made it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0), "prctl PDEATHSIG")


def adopt_orphans() -> None:
    """Orphans among our descendants become our children, so that we can wait for them."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl CHILD_SUBREAPER")


def offloads_off(device: str) -> None:
    """Every frame of the device in the thread's namespace is then as on a real wire: at most the
    MTU, with true checksums."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for command in _OFFLOADS:
            _ethtool(handle, device, command)


def _ethtool(handle: Any, device: str, command: int) -> None:
    value = ctypes.create_string_buffer(struct.pack("=II", command, 0), 8)
    request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
    fcntl.ioctl(handle.fileno(), _SIOCETHTOOL, request.ljust(40, b"\0"))


def identity(path: str) -> Optional[int]:
    """The inode of a namespace file: the same namespace has the same; None when it is gone."""
    try:
        return Path(path).stat().st_ino
    except OSError:
        return None


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
