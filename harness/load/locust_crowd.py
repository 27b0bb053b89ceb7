"""The users of a Locust file as a crowd: who is idle, who may still join, and one step of one user.

In Locust a user runs tasks for ever. Here each arrival lets one user make one step: one task of its
class, or, inside a TaskSet, the next task of that set, until the set is interrupted. The user whose
turn came last is taken first, so that connections stay warm.
"""

from __future__ import annotations

import logging
from itertools import accumulate
from typing import Any

import gevent
from gevent.pool import Pool
from locust import TaskSet, User
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.user.task import DefaultTaskSet

from harness.load.locust_requests import Journey

_STARTING_AT_ONCE = 20
#: How often a task may interrupt its TaskSet without a request before the arrival is given up.
_MOST_STEPS = 10

log = logging.getLogger(__name__)


class Member:
    """One user of the crowd and where it stands in its TaskSets."""

    def __init__(self, kind: type[User], environment: Any) -> None:
        self.user: Any = kind(environment)
        self.user._state = "running"  # noqa: SLF001  as Locust's runner does
        self.user._taskset_instance = DefaultTaskSet(self.user)  # noqa: SLF001
        self.started = False
        self._inside: list[Any] = []

    def start(self) -> None:
        if not self.started:
            self.user.on_start()
            self.started = True

    def step(self, journey: Journey, draw: float) -> None:
        """One task, or more while they only leave their TaskSet without a request."""
        for _ in range(_MOST_STEPS):
            try:
                self._run(self._leaf(draw), journey)
            except InterruptTaskSet as interrupt:
                self._leave()
                if interrupt.reschedule and not journey.requests:
                    continue
            except (RescheduleTask, RescheduleTaskImmediately):
                pass
            return

    def stop(self) -> None:
        while self._inside:
            self._leave()
        if self.started:
            self.user.on_stop()

    def _leaf(self, draw: float) -> Any:
        """The task to run: enters TaskSets until there is one that is not a TaskSet."""
        task = self._next(draw)
        while isinstance(task, type) and issubclass(task, TaskSet):
            self._inside.append(task(self._inside[-1] if self._inside else self.user))
            self._inside[-1].on_start()
            task = self._next(draw)
        return task

    def _next(self, draw: float) -> Any:
        if not self._inside:
            tasks = self.user.tasks
            return tasks[int(draw * len(tasks))]
        within = self._inside[-1]
        if not within._task_queue:  # noqa: SLF001  what TaskSet.run does
            within.schedule_task(within.get_next_task())
        return within._task_queue.popleft()  # noqa: SLF001

    def _run(self, task: Any, journey: Journey) -> None:
        holder = self._inside[-1] if self._inside else self.user
        journey.name = task_name(type(holder), task)
        if self._inside:
            self._inside[-1].execute_task(task)
        else:
            task(self.user)

    def _leave(self) -> None:
        if self._inside:
            self._inside.pop().on_stop()


class Crowd:
    """All members, by class. `most` bounds how many there are."""

    def __init__(self, environment: Any, kinds: list[type[User]], most: int) -> None:
        self._environment = environment
        self._kinds = kinds
        self._edges = list(accumulate(kind.weight for kind in kinds))
        self._idle: dict[type[User], list[Member]] = {kind: [] for kind in kinds}
        self._most = most
        self.size = 0

    def kind(self, draw: float) -> type[User]:
        """The class that this arrival is for, by weight."""
        at = draw * self._edges[-1]
        return next(kind for kind, edge in zip(self._kinds, self._edges, strict=True) if at < edge)

    def take(self, kind: type[User]) -> Member | None:
        """An idle member, or a new one; None when all are busy and no more may join."""
        if self._idle[kind]:
            return self._idle[kind].pop()
        return self._join(kind) if self.size < self._most else None

    def give_back(self, member: Member) -> None:
        self._idle[type(member.user)].append(member)

    def lose(self, member: Member) -> None:
        """A member stopped for good; another may join."""
        self.size -= 1
        gevent.spawn(_quietly, member.stop)

    def prepare(self, count: int, within_s: float) -> list[BaseException]:
        """Let members join, and run on_start where there is one, before the load begins."""
        pool, failed = Pool(_STARTING_AT_ONCE), list[BaseException]()
        for number in range(count):
            member = self._join(self.kind((number + 0.5) / count))
            pool.spawn(self._start, member, failed)
        pool.join(timeout=within_s)
        pool.kill(block=False)
        return failed

    def stop(self, within_s: float) -> None:
        """Run on_stop of those that are idle, all at once."""
        idle = [
            m for members in self._idle.values() for m in members if overrides(m.user, "on_stop")
        ]
        stopping = [gevent.spawn(_quietly, member.stop) for member in idle]
        gevent.joinall(stopping, timeout=within_s)
        gevent.killall(stopping, block=False)

    def _join(self, kind: type[User]) -> Member:
        self.size += 1
        return Member(kind, self._environment)

    def _start(self, member: Member, failed: list[BaseException]) -> None:
        try:
            member.start()
        except Exception as error:
            failed.append(error)
            self.size -= 1
        else:
            self.give_back(member)


def first_task(kind: type[User], draw: float) -> str:
    """The name of the task that a user of this class would run, when it is in no TaskSet."""
    task = kind.tasks[int(draw * len(kind.tasks))]
    return task_name(kind, task)


def task_name(holder: type, task: Any) -> str:
    return f"{holder.__name__}.{getattr(task, '__name__', task)}"


def overrides(user: User | type[User], method: str) -> bool:
    """Whether a user's class has an on_start or on_stop of its own."""
    kind = user if isinstance(user, type) else type(user)
    return getattr(kind, method) is not getattr(User, method)


def _quietly(stop: Any) -> None:
    try:
        stop()
    except (Exception, StopUser, StopTest):
        log.exception("on_stop failed")
