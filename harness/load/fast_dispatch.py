"""Sends each declared request when it is due, whatever became of those before it (open loop).

The same rules as for Locust users: late arrivals are caught up in order; an arrival for which no
connection is free, because all wait for answers, is a failure of the system; one that we come to
later than it may take is dropped by us. A request is one row: there are no tasks around it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator

from harness.clock import SECOND
from harness.load.arrivals import arrivals
from harness.load.counts import Counts
from harness.load.fast_connection import Connection
from harness.load.fast_pool import Pool
from harness.load.fast_requests import Deck
from harness.load.fast_timer import Alarm
from harness.load.outcomes import outcome_of
from harness.load.recorder import Recorder
from harness.load.recording import Flag, Outcome
from harness.record.plan import LoadPlan

#: So many late arrivals are sent in a row before answers are read.
_BATCH = 64
#: Nearer than this, the next arrival is waited for by looking at the clock.
_SPIN_NS = 30_000
_SWEEP_S = 0.01


class Dispatcher:
    def __init__(self, plan: LoadPlan, recorder: Recorder, most: int) -> None:
        self._plan = plan
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop, self._tick)
        self._deck = Deck(plan)
        self._timeout_ns = round(plan.timeout * SECOND)
        self._schedule: Iterator[tuple[int, float]] = iter(())
        self._t0_ns = 0
        self._next = (0, 0)
        self._ended = asyncio.Event()
        self.pool = Pool(plan.url, self, most)
        #: Connections that wait for an answer, the oldest arrival first.
        self.waiting: dict[Connection, None] = {}
        self.counts = Counts()
        self.late_ns: deque[int] = deque(maxlen=1000)

    async def run(self, worker: int, workers: int, t0_ns: int) -> None:
        """All arrivals of this worker; returns after the last, or soon after `stop`."""
        self._t0_ns = t0_ns
        self._schedule = arrivals(self._plan, worker, workers)
        self._begin_sweeping()
        if self._advance():
            self._alarm.set(self._next[1])
        await self._ended.wait()

    @property
    def stopping(self) -> bool:
        return self._ended.is_set()

    def stop(self) -> None:
        """Send no more."""
        self._ended.set()

    async def finish(self) -> None:
        """Wait for what is in flight; what then has no outcome yet leaves no row."""
        ends = time.monotonic_ns() + self._timeout_ns + SECOND // 4
        while self.waiting and time.monotonic_ns() < ends:  # noqa: ASYNC110  the sweep ends it
            await asyncio.sleep(_SWEEP_S)
        self.pool.close()
        self._alarm.close()

    # ------------------------------------------------------------ sending

    def _advance(self) -> bool:
        index, due_s = next(self._schedule, (-1, 0.0))
        self._next = (index, self._t0_ns + round(due_s * SECOND))
        if index < 0:
            self._ended.set()
        return index >= 0

    def _tick(self) -> None:
        """Send what is due, and come back for what is not."""
        for _ in range(_BATCH):
            index, due = self._next
            now = time.monotonic_ns()
            if now < due:
                break
            if self.stopping:
                return
            self._arrive(index, due, now)
            if not self._advance():
                return
        self._come_back(self._next[1] - time.monotonic_ns())

    def _come_back(self, left_ns: int) -> None:
        if left_ns < _SPIN_NS:
            self._loop.call_soon(self._tick)
        else:
            self._alarm.set(self._next[1])

    def _arrive(self, index: int, due: int, now: int) -> None:
        self.counts.due += 1
        self.late_ns.append(now - due)
        ready = self._deck.draw(index)
        if now - due > self._timeout_ns:
            self.counts.dropped += 1
            self._row(ready.name, index, due, now, now, Outcome.DROPPED)
            return
        self.counts.sent += 1
        connection = self.pool.take()
        if connection is None:
            self.counts.done += 1
            self._row(ready.name, index, due, now, now, Outcome.OTHER)
            return
        self.waiting[connection] = None
        connection.send(ready, index, due, now)
        if connection.transport is None:
            self.pool.open(connection)

    # ------------------------------------------------------------ answers

    def answered(self, connection: Connection) -> None:
        ready = connection.ready
        assert ready is not None, "an answer belongs to a request"
        ended, status = time.monotonic_ns(), connection.status
        outcome = ready.check(status, connection.body)
        self._done(connection, ended, outcome, status)
        if connection.stays:
            self.pool.give_back(connection)
        else:
            self.pool.lose()
            connection.abort()

    def failed(self, connection: Connection, error: BaseException) -> None:
        if connection.ready is not None:
            self._done(connection, time.monotonic_ns(), outcome_of(error))
            self.pool.lose()

    def _done(self, connection: Connection, ended: int, outcome: Outcome, status: int = 0) -> None:
        ready, connection.ready = connection.ready, None
        assert ready is not None, "a request ends once"
        del self.waiting[connection]
        self.counts.done += 1
        if ended - connection.due > self._timeout_ns and outcome is Outcome.OK:
            outcome = Outcome.TIMEOUT
        self._recorder.add(
            ready.name, connection.due, connection.started, ended, outcome=outcome,
            flags=Flag.FIRST, arrival=connection.index, status=status, size=connection.size,
        )  # fmt: skip

    def _begin_sweeping(self) -> None:
        self._loop.call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        """End what has used up its time."""
        now = time.monotonic_ns()
        for connection in self._overdue(now):
            self._done(connection, now, Outcome.TIMEOUT)
            self.pool.lose()
            connection.abort()
        if self.waiting or not self.stopping:
            self._begin_sweeping()

    def _overdue(self, now: int) -> list[Connection]:
        found = []
        for connection in self.waiting:
            if now - connection.due <= self._timeout_ns:
                break
            found.append(connection)
        return found

    def _row(
        self, name: str, index: int, due: int, started: int, ended: int, outcome: Outcome
    ) -> None:
        self._recorder.add(
            name, due, started, ended, outcome=outcome, flags=Flag.FIRST, arrival=index
        )
