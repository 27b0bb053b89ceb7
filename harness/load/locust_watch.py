"""The worker watches itself: rows to disk each 50 ms, a status line each 100 ms.

It also ends the worker when the process that started it is gone: load without a harness would
outlive the experiment.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import gevent

from harness.clock import SECOND
from harness.load.locust_dispatch import Dispatcher
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

    def run(self) -> None:
        """Until the process ends; every second turn writes a line."""
        turn = 0
        gevent.spawn(self._beat)
        while os.getppid() == self._parent:
            self._recorder.flush()
            if turn % 2:
                self._status.state(self._now())
                self._dispatcher.stopping |= asked_to_stop(self._directory)
            turn += 1
            gevent.sleep(_FLUSH_S)
        log.error("the process that started this worker is gone")
        self._recorder.flush()
        os._exit(1)

    def _beat(self) -> None:
        while True:
            self._vitals.beat()
            gevent.sleep(BEAT_S)

    def last(self) -> None:
        self._status.state(self._now())

    def _now(self) -> Status:
        """The state at this instant."""
        now, counts = time.monotonic_ns(), self._dispatcher.counts
        journeys = list(self._dispatcher.journeys.values())
        dues = [since for j in journeys for since in j.waiting_since]
        return Status(
            at=now, due=counts.due, sent=counts.sent, dropped=counts.dropped, done=counts.done,
            in_flight=len(journeys), oldest_due=min(dues, default=None),
            overdue=sum(1 for due in dues if now - due > self._timeout_ns),
            late_p99_ms=late_p99_ms(self._dispatcher.late_ns),
            cpu=self._vitals.cpu(), gc_ms=self._vitals.gc_ms(),
            stall_ms=self._vitals.stall_ms(),
        )  # fmt: skip
