"""Alarms of an event loop, exact to some ten microseconds where its own are to a millisecond:
one timerfd, set for the first of them. Where there is no timerfd, the loop's own timers."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import itertools
import math
import os
import time
from typing import Callable, List, Optional, Tuple
from weakref import WeakKeyDictionary, finalize

_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_ABSOLUTE = 1
_FEW = 100  # that do not ring may stay among the others
_LONGEST_S = 1e6  # later is later than anybody waits, and would overflow


class Alarm:
    """One call at one time; `cancel` keeps it from ringing."""

    def __init__(self, call: Callable[[], None], of: Alarms) -> None:
        self.call: Optional[Callable[[], None]] = call
        self._of = of

    def cancel(self) -> None:
        if self.call is not None:
            self.call = None
            self._of.cancelled += 1

    def ring(self) -> None:
        if self.call is not None:
            self.call()


class Alarms:
    """Those of the running loop."""

    def __init__(self) -> None:
        self.cancelled = 0
        self._set: List[Tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._armed = math.inf
        self._timer = _timer()
        if self._timer >= 0:
            asyncio.get_running_loop().add_reader(self._timer, self._due)
            finalize(self, os.close, self._timer)

    def at(self, when: float, call: Callable[[], None]) -> Alarm:
        """Call at that time (monotonic seconds), or soon when it is past."""
        alarm = Alarm(call, self)
        when = min(when, time.monotonic() + _LONGEST_S)
        if self._timer < 0:
            wait = max(0.0, when - time.monotonic())
            asyncio.get_running_loop().call_later(wait, alarm.ring)
            return alarm
        heapq.heappush(self._set, (when, next(self._order), alarm))
        self._arm()
        return alarm

    def _due(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._timer, 8)
        self._armed = math.inf
        now = time.monotonic()
        try:
            while self._set and self._set[0][0] <= now:
                heapq.heappop(self._set)[2].ring()
        finally:
            self._arm()

    def _arm(self) -> None:
        if self.cancelled > _FEW and self.cancelled > len(self._set) / 2:
            self._set = [one for one in self._set if one[2].call is not None]
            heapq.heapify(self._set)
            self.cancelled = 0
        if self._set and self._set[0][0] < self._armed:
            self._armed = self._set[0][0]
            _set(self._timer, self._armed)


def alarms() -> Alarms:
    """Those of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _ALL:
        _ALL[loop] = Alarms()
    return _ALL[loop]


_ALL: WeakKeyDictionary[asyncio.AbstractEventLoop, Alarms] = WeakKeyDictionary()


class _Time(ctypes.Structure):
    """struct itimerspec: an interval (none), and the time."""

    _fields_ = [
        ("every_s", ctypes.c_long), ("every_ns", ctypes.c_long),
        ("at_s", ctypes.c_long), ("at_ns", ctypes.c_long),
    ]  # fmt: skip


_LIBC = ctypes.CDLL(None, use_errno=True)


def _timer() -> int:
    """On the monotonic clock; -1 where the system has none."""
    try:
        return int(_LIBC.timerfd_create(time.CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC))
    except AttributeError:
        return -1


def _set(timer: int, at: float) -> None:
    seconds = max(0.0, at)
    spec = _Time(0, 0, int(seconds), max(1, int((seconds % 1) * 1e9)))
    _LIBC.timerfd_settime(timer, _ABSOLUTE, ctypes.byref(spec), None)
