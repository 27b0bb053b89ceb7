"""A closed loop of Locust users: each waits for the end of its task, and then begins the next.

Nothing is ever due: while the system stops, its users stop asking, and most of what they would have
felt is in no row. The plan says so.
"""

from __future__ import annotations

import time
from itertools import count

import gevent

from harness.clock import SECOND
from harness.load.locust_dispatch import Dispatcher


class ClosedDispatcher(Dispatcher):
    def run(self, worker: int, workers: int, t0_ns: int) -> None:
        """Until the load is over; returns soon after `stopping` is set."""
        self._wait_until(t0_ns)
        end_ns = t0_ns + round((self._plan.warmup + self._plan.duration) * SECOND)
        users = [
            gevent.spawn(self._one_user, user, end_ns)
            for user in range(worker, self._plan.closed_users, workers)
        ]
        self._wait_until(end_ns)
        self.stopping = True
        gevent.killall(users, block=False)  # tasks run in greenlets of their own, and go on

    def _one_user(self, user: int, end_ns: int) -> None:
        for turn in count():
            now = time.monotonic_ns()
            if self.stopping or now >= end_ns:
                return
            journey = self._arrive(user + turn * self._plan.closed_users, now)
            if journey is not None:
                journey.greenlet.join()
            gevent.sleep(self._plan.think)
