"""No data goes on, and after `timeout` milliseconds without any the connection is closed; 0: never.

What came meanwhile is lost, so the connection is closed as well when the toxic goes.
"""

from __future__ import annotations

import contextlib
import math

from harness.mechanisms.toxics.toxic import CLOSE, Ended, Late, Pipe, Stage, Take, Wait


class Timeout(Stage):
    names = ("timeout",)

    def pipe(self) -> Pipe:
        with contextlib.suppress(Late):
            while True:
                yield Take(self.ends_at())
        raise Ended(CLOSE)

    def ends_at(self) -> float:
        wait_ms = self.number("timeout", self.now)
        return self.now + wait_ms / 1000 if wait_ms > 0 else math.inf

    def removed(self) -> str:
        return CLOSE


class Silence(Timeout):
    """It swallows the sender's end too: who hears no answer does not hear its end either."""

    def pipe(self) -> Pipe:
        ends_at = self.ends_at()
        with contextlib.suppress(Late, Ended):
            while True:
                yield Take(ends_at)
                ends_at = self.ends_at()
        yield Wait(ends_at)
        raise Ended(CLOSE)
