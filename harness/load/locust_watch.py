"""The worker watches itself: rows to disk each 100 ms, a status line each 200 ms.

It also ends the worker when the process that started it is gone: load without a harness would
outlive the experiment.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from pathlib import Path
from typing import Literal

import gevent

from harness.clock import SECOND
from harness.load.locust_dispatch import Dispatcher
from harness.load.recorder import Recorder
from harness.load.spec import WorkerSpec, asked_to_stop
from harness.load.status import Status, StatusFile

_FLUSH_S = 0.1

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
        self._cpu_before = (time.monotonic(), time.process_time())
        self._pause_began = 0.0
        self._longest_pause = 0.0
        gc.callbacks.append(self._collecting)

    def run(self) -> None:
        """Until the process ends; every second turn writes a line."""
        turn = 0
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
            late_p99_ms=self._late_p99_ms(), cpu=self._cpu(), gc_ms=self._pause_ms(),
        )  # fmt: skip

    def _late_p99_ms(self) -> float:
        late = sorted(self._dispatcher.late_ns)
        return round(late[len(late) * 99 // 100] / 1e6, 3) if late else 0.0

    def _cpu(self) -> float:
        wall, used = time.monotonic(), time.process_time()
        (wall_before, used_before), self._cpu_before = self._cpu_before, (wall, used)
        return round((used - used_before) / max(wall - wall_before, 1e-9), 3)

    def _pause_ms(self) -> float:
        longest, self._longest_pause = self._longest_pause, 0.0
        return round(longest * 1e3, 3)

    def _collecting(self, phase: Literal["start", "stop"], _info: dict[str, int]) -> None:
        if phase == "start":
            self._pause_began = time.monotonic()
        else:
            pause = time.monotonic() - self._pause_began
            self._longest_pause = max(self._longest_pause, pause)
