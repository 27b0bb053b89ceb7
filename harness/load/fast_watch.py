"""The fast worker watches itself: rows to disk each 50 ms, a status line each 100 ms.

It also ends the worker when the process that started it is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

from harness.clock import SECOND
from harness.load.fast_dispatch import Dispatcher
from harness.load.recorder import Recorder
from harness.load.spec import WorkerSpec, asked_to_stop
from harness.load.status import Status, StatusFile
from harness.load.vitals import BEAT_S, Vitals, late_p99_ms

_FLUSH_S = 0.05

log = logging.getLogger(__name__)


class Watch:
    def __init__(
        self, dispatcher: Dispatcher, recorder: Recorder, status: StatusFile, spec: WorkerSpec
    ) -> None:
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._status = status
        self._directory = Path(spec.directory)
        self._timeout_ns = round(spec.plan.timeout * SECOND)
        self._parent = os.getppid()
        self._vitals = Vitals()

    async def run(self) -> None:
        """Until the process ends; every second turn writes a line."""
        turn = 0
        self._beat()
        while os.getppid() == self._parent:
            self._recorder.flush()
            if turn % 2:
                self._status.state(self.now())
                if asked_to_stop(self._directory):
                    self._dispatcher.stop()
            turn += 1
            await asyncio.sleep(_FLUSH_S)
        log.error("the process that started this worker is gone")
        self._recorder.flush()
        os._exit(1)

    def _beat(self) -> None:
        self._vitals.beat()
        asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def last(self) -> None:
        self._status.state(self.now())

    def now(self) -> Status:
        """The state at this instant."""
        now, counts = time.monotonic_ns(), self._dispatcher.counts
        dues = [connection.due for connection in self._dispatcher.waiting]
        return Status(
            at=now, due=counts.due, sent=counts.sent, dropped=counts.dropped, done=counts.done,
            in_flight=len(dues), oldest_due=min(dues, default=None),
            overdue=sum(1 for due in dues if now - due > self._timeout_ns),
            late_p99_ms=late_p99_ms(self._dispatcher.late_ns),
            cpu=self._vitals.cpu(), gc_ms=self._vitals.gc_ms(),
            stall_ms=self._vitals.stall_ms(),
        )  # fmt: skip
