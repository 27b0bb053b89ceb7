"""Time as the whole house uses it: monotonic nanoseconds, one clock for all processes of a machine.

A run keeps one pair (monotonic, wall) so that reports can print dates; nothing is ever computed
from the wall clock, which a fault may move.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000_000_000


class Clock(Protocol):
    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        ...


class SystemClock:
    def now_ns(self) -> int:
        return time.monotonic_ns()


@dataclass(frozen=True)
class Epoch:
    """Where a run's zero lies: `mono_ns` on the monotonic clock, `wall_ns` in Unix nanoseconds."""

    mono_ns: int
    wall_ns: int

    @classmethod
    def now(cls) -> Epoch:
        return cls(time.monotonic_ns(), time.time_ns())

    def seconds(self, mono_ns: int) -> float:
        """Seconds from the epoch to a monotonic instant."""
        return (mono_ns - self.mono_ns) / SECOND

    def mono(self, seconds: float) -> int:
        return self.mono_ns + round(seconds * SECOND)

    def date(self, mono_ns: int) -> datetime:
        return datetime.fromtimestamp((self.wall_ns + mono_ns - self.mono_ns) / SECOND, tz=UTC)
