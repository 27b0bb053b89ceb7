"""How a load worker itself fares: its processor time, its pauses, its lateness."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterable
from typing import Literal

#: How often `beat` is called; it costs a worker 0.3 % of its core.
BEAT_S = 0.01


class Vitals:
    """Each number is of the time since it was last asked for."""

    def __init__(self) -> None:
        self._cpu_before = (time.monotonic(), time.process_time())
        self._pause_began = 0.0
        self._longest_pause = 0.0
        self._last_beat = math.inf
        self._longest_stall = 0.0
        gc.callbacks.append(self._collecting)

    def cpu(self) -> float:
        """The share of one core."""
        wall, used = time.monotonic(), time.process_time()
        (wall_before, used_before), self._cpu_before = self._cpu_before, (wall, used)
        return round((used - used_before) / max(wall - wall_before, 1e-9), 3)

    def gc_ms(self) -> float:
        """The longest garbage collection."""
        longest, self._longest_pause = self._longest_pause, 0.0
        return round(longest * 1e3, 3)

    def beat(self) -> None:
        """Called by the worker's loop each `BEAT_S`: when that is late, the loop stood still."""
        now = time.monotonic()
        self._longest_stall = max(self._longest_stall, now - self._last_beat - BEAT_S)
        self._last_beat = now

    def stall_ms(self) -> float:
        """The longest time without a turn of the loop."""
        longest, self._longest_stall = self._longest_stall, 0.0
        return round(longest * 1e3, 3)

    def _collecting(self, phase: Literal["start", "stop"], _info: dict[str, int]) -> None:
        if phase == "start":
            self._pause_began = time.monotonic()
        else:
            pause = time.monotonic() - self._pause_began
            self._longest_pause = max(self._longest_pause, pause)


def collect_little() -> None:
    """Garbage is collected often and little: what there is now is never looked at again.

    A Locust request leaves 17 objects in circles, at 0.3 µs each; a hundred thousand of them at
    once would be 30 ms of our own latency.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 100)


def late_p99_ms(late_ns: Iterable[int]) -> float:
    """Of the last arrivals."""
    late = sorted(late_ns)
    return round(late[len(late) * 99 // 100] / 1e6, 3) if late else 0.0
