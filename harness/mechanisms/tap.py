"""A tap: a network device whose other side is a file that we read frames from and write them to.

The device is there as long as its file is open. Frames that the kernel hands out have true
checksums and fit the card that they were caught on, because the tap offers no offloads.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path

from harness.mechanisms.netlink import Netlink

DEVICE = "/dev/net/tun"
_SET_INTERFACE, _TAP, _NO_HEADER = 0x400454CA, 0x2, 0x1000
_QUEUE, _MTU = 10_000, 65_521


class Tap:
    """Made in the network namespace of the calling thread, and up. Raises OSError."""

    def __init__(self, name: str) -> None:
        self._fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        asked = struct.pack("16sH22x", name.encode(), _TAP | _NO_HEADER)
        fcntl.ioctl(self._fd, _SET_INTERFACE, asked)
        quiet = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        with contextlib.suppress(OSError):  # no IPv6 here, or /proc/sys cannot be written
            quiet.write_text("1")
        with Netlink() as net:
            net.set_mtu(name, _MTU)
            net.set_queue(name, _QUEUE)
            net.quiet(name)
            net.up(name)
            self.index = net.index(name)

    def fileno(self) -> int:
        return self._fd

    def recv(self, size: int, /) -> bytes:
        return os.read(self._fd, size)

    def send(self, frame: bytes, /) -> int:
        return os.write(self._fd, frame)

    def close(self) -> None:
        os.close(self._fd)
