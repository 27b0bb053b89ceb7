"""Wakes the event loop at an exact instant: loops count milliseconds, arrivals are due in between.

On Linux by a timerfd, which costs nothing while it waits; elsewhere by the loop's own timer, up to
a millisecond late.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable

from harness.clock import SECOND

_ABSOLUTE = 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_SETTING = struct.Struct("qqqq")  # interval and value: seconds, nanoseconds


class Alarm:
    """`ring` is called once for each `set`, at or soon after that monotonic instant."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._buffer = ctypes.create_string_buffer(_SETTING.size)
        self._fd = self._open()

    def set(self, at_ns: int) -> None:
        if self._fd < 0:
            self._loop.call_later(max(at_ns - time.monotonic_ns(), 0) / SECOND, self._ring)
            return
        _SETTING.pack_into(self._buffer, 0, 0, 0, *divmod(max(at_ns, 1), SECOND))
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, self._buffer, None)

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        """The timer's descriptor, or -1 where there is no such thing."""
        create = getattr(self._libc, "timerfd_create", None)
        fd = int(create(time.CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)) if create else -1
        if fd >= 0:
            self._loop.add_reader(fd, self._rang)
        return fd

    def _rang(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set anew since it rang
            return
        self._ring()
