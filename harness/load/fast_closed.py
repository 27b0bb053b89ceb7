"""A closed loop of declared requests: so many users, each asks again after its answer.

Nothing is ever due: while the system stops, its users stop asking, and most of what they would have
felt is in no row. The plan says so.
"""

from __future__ import annotations

import time

from harness.clock import SECOND
from harness.load.fast_connection import Connection
from harness.load.fast_dispatch import Dispatcher
from harness.load.recording import Outcome


class ClosedDispatcher(Dispatcher):
    async def run(self, worker: int, workers: int, t0_ns: int) -> None:
        self._index, self._step = worker, workers
        begin_s = max(t0_ns - time.monotonic_ns(), 0) / SECOND
        self._loop.call_later(begin_s + self._plan.warmup + self._plan.duration, self.stop)
        for _ in range(worker, self._plan.closed_users, workers):
            self._loop.call_later(begin_s, self._ask)
        self._begin_sweeping()
        await self._ended.wait()

    def _ask(self) -> None:
        if not self.stopping:
            now = time.monotonic_ns()
            self._index += self._step
            self._arrive(self._index - self._step, now, now)

    def _done(self, connection: Connection, ended: int, outcome: Outcome, status: int = 0) -> None:
        super()._done(connection, ended, outcome, status)
        self._loop.call_later(self._plan.think, self._ask)
