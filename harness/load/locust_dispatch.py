"""Lets each arrival happen when it is due, whatever became of those before it (open loop).

One greenlet sleeps from one arrival to the next and starts each as a greenlet of its own; when it
is late it catches up in order and skips none. An arrival for which no user is free is a failure of
the system if the users wait for its answers, and dropped by us if they do not, or if we are later
than the request may take. Every arrival leaves one row with the flag JOURNEY.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

import gevent
from locust import FastHttpUser, HttpUser
from locust.exception import StopTest, StopUser

from harness.clock import SECOND
from harness.load.arrivals import arrivals, chance
from harness.load.counts import Counts
from harness.load.locust_crowd import Crowd, Member, first_task
from harness.load.locust_http import Overdue
from harness.load.locust_requests import Journey, RecordingHook
from harness.load.locust_usual import Usual
from harness.load.outcomes import outcome_of
from harness.load.recorder import Recorder
from harness.load.recording import Flag, Outcome
from harness.record.plan import LoadPlan

#: So many late arrivals are started in a row before the others get a turn.
_BATCH = 64
_NAP_S = 0.05
_MOST_TRACEBACKS = 20

log = logging.getLogger(__name__)


class Dispatcher:
    def __init__(
        self, plan: LoadPlan, crowd: Crowd, recorder: Recorder, hook: RecordingHook
    ) -> None:
        self._plan = plan
        self._crowd = crowd
        self._recorder = recorder
        self._hook = hook
        self._timeout_ns = round(plan.timeout * SECOND)
        self._tracebacks = 0
        self._ahead = 0
        self.counts = Counts()
        self._usual = Usual()
        self.late_ns: deque[int] = deque(maxlen=1000)
        self.journeys: dict[int, Journey] = {}
        self.stopping = False

    def run(self, worker: int, workers: int, t0_ns: int) -> None:
        """All arrivals of this worker; returns after the last, or soon after `stopping` is set."""
        in_a_row = 0
        for index, due_s in arrivals(self._plan, worker, workers):
            due = t0_ns + round(due_s * SECOND)
            in_a_row = 0 if self._wait_until(due) else in_a_row + 1
            if self.stopping:
                return
            if in_a_row >= _BATCH:
                gevent.sleep(0)
                in_a_row = 0
            self._arrive(index, due)

    def finish(self) -> None:
        """Wait for what is in flight; a task's later requests have their own timeouts, so twice.

        What is still waiting then for longer than its timeout is recorded as TIMEOUT; what is
        younger has no outcome and leaves no row.
        """
        ends = time.monotonic_ns() + 2 * self._timeout_ns + SECOND // 4
        while self.journeys and time.monotonic_ns() < ends:
            gevent.sleep(0.01)
        left = list(self.journeys.values())
        gevent.killall([journey.greenlet for journey in left], timeout=1)
        for journey in list(self.journeys.values()):  # killed before its first step
            self._cut_off(journey)

    def _wait_until(self, due: int) -> bool:
        """Sleep until then; whether there was any need to."""
        waited = False
        while (left := due - time.monotonic_ns()) > 0 and not self.stopping:
            waited = True
            gevent.sleep(min(left / SECOND, _NAP_S))
        return waited

    def _arrive(self, index: int, due: int) -> Journey | None:
        """The journey, if a user sets out on it."""
        self.counts.due += 1
        if self._ahead:  # a task before it has already made this request
            self._ahead -= 1
            self.counts.sent += 1
            self.counts.done += 1
            return None
        now = time.monotonic_ns()
        self.late_ns.append(now - due)
        journey = Journey(index, due, now)
        kind = self._crowd.kind(chance(self._plan.seed, 2 * index))
        journey.name = first_task(kind, chance(self._plan.seed, 2 * index + 1))
        member = self._crowd.take(kind) if now - due <= self._timeout_ns else None
        if member is not None:
            self._send(member, journey)
            return journey
        if now - due <= self._timeout_ns and self._system_holds_us():
            self._nobody_free(journey)
        else:
            self.counts.dropped += 1
            self._journey_row(journey, Outcome.DROPPED)
        return None

    def _send(self, member: Member, journey: Journey) -> None:
        self.counts.sent += 1
        journey.opaque = not isinstance(member.user, (HttpUser, FastHttpUser))
        self.journeys[journey.index] = journey
        journey.greenlet = gevent.spawn(self._live, member, journey)

    def _system_holds_us(self) -> bool:
        """Whether those in flight wait for answers, rather than sleep or compute in their tasks."""
        waiting = sum(1 for j in self.journeys.values() if j.opaque or j.waiting)
        return 2 * waiting >= len(self.journeys)

    def _nobody_free(self, journey: Journey) -> None:
        self.counts.sent += 1
        self.counts.done += 1
        self._hook.prevented(journey, Outcome.OTHER)
        self._skip_the_rest(journey)
        self._journey_row(journey, Outcome.OTHER)

    def _live(self, member: Member, journey: Journey) -> None:
        """One arrival from beginning to end, in a greenlet of its own."""
        error, stays = None, True
        try:
            member.start()
            gevent.getcurrent().journey = journey  # from here on, requests are judged
            self._step(member, journey)
        except gevent.GreenletExit:
            self._cut_off(journey)
            return
        except (StopUser, StopTest):
            stays = False
        except (Exception, Overdue) as raised:
            error = raised
            self._report(member, raised)
        self._close(journey, error)
        (self._crowd.give_back if stays else self._crowd.lose)(member)

    def _step(self, member: Member, journey: Journey) -> None:
        draw = chance(self._plan.seed, 2 * journey.index + 1)
        if not journey.opaque:
            member.step(journey, draw)
            return
        # a client that we do not know: its task as a whole has the time of one request
        with Overdue(max((journey.due + self._timeout_ns - time.monotonic_ns()) / SECOND, 0.001)):
            member.step(journey, draw)

    def _close(self, journey: Journey, error: BaseException | None) -> None:
        for sent in list(journey.open.values()):
            self._hook.untold(sent, error)
        if error is not None:
            if not journey.requests or isinstance(error, Overdue):
                self._hook.prevented(journey, outcome_of(error))
            if journey.outcome is Outcome.OK:
                journey.outcome = outcome_of(error)
        if journey.outcome is Outcome.OK:
            self._usual.learn(journey.name, journey.names)
        else:
            self._skip_the_rest(journey)
        if self._plan.counts == "requests":
            self._ahead += max(len(journey.names) - 1, 0)
        self._end(journey, journey.outcome)

    def _skip_the_rest(self, journey: Journey) -> None:
        if not journey.unjudged:
            for name in self._usual.missing(journey.name, journey.names):
                self._hook.skipped(journey, name)

    def _cut_off(self, journey: Journey) -> None:
        """The load is over and this one is still in flight."""
        now = time.monotonic_ns()
        cut = [sent for sent in journey.open.values() if sent.response is None]
        old = [sent for sent in cut if now - sent.intended >= self._timeout_ns]
        for sent in old:
            self._hook.untold(sent, TimeoutError())
        journey.unjudged = journey.unjudged or not (old or journey.outcome)
        self._end(journey, Outcome.TIMEOUT if old else journey.outcome)

    def _end(self, journey: Journey, outcome: Outcome) -> None:
        del self.journeys[journey.index]
        self.counts.done += 1
        self._journey_row(journey, outcome)

    def _journey_row(self, journey: Journey, outcome: Outcome) -> None:
        self._recorder.add(
            journey.name, journey.due, journey.started, time.monotonic_ns(), outcome=outcome,
            flags=Flag.JOURNEY | (Flag.UNJUDGED if journey.unjudged else 0),
            arrival=journey.index,
        )  # fmt: skip

    def _report(self, member: Member, error: BaseException) -> None:
        user: Any = member.user
        user.environment.events.user_error.fire(
            user_instance=user, exception=error, tb=error.__traceback__
        )
        self._tracebacks += 1
        if self._tracebacks <= _MOST_TRACEBACKS:
            log.error("a task failed", exc_info=error)
