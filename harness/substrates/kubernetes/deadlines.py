"""When Jobs of agents end by themselves: counted anew for as long as their run is alive.

A Job's deadline may be moved, its pod's only be brought forward: so the pod has one for the whole
run, for its kubelet, and the Job one for the longest fault, for the cluster. Times are ours, from
before a Job was made: no clocks are compared.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from harness.substrates.kubernetes.api import Api, ApiError

log = logging.getLogger(__name__)

#: They are moved so often: a fault that begins in between has so much less of its margin.
_EVERY_S = 15.0


class Deadlines:
    """Of the Jobs that were begun, by their paths."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[str, float] = {}
        self._next = 0.0
        self._guard = threading.Lock()

    def begin(self, job: str) -> None:
        """It is about to be made."""
        with self._guard:
            self._begun[job] = self._clock()

    def end(self, job: str) -> None:
        with self._guard:
            self._begun.pop(job, None)

    def prolong(self, api: Api, lasts_s: float) -> None:
        """So long from now, for all; may be called more often than is needed. What cannot be
        reached keeps what it has."""
        with self._guard:
            now, jobs = self._clock(), list(self._begun.items())
            if now < self._next:
                return
            self._next = now + _EVERY_S
        for job, begun in jobs:
            deadline = int(now - begun + lasts_s) + 1
            try:
                api.patch(job, {"spec": {"activeDeadlineSeconds": deadline}})
            except ApiError as error:
                log.warning("the deadline of %s was not moved: %s", job, error.told)
