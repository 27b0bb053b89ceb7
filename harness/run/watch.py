"""The run's view of its own load: starts it, looks at it while it goes on, ends it.

Everything that may end a run early is judged here: abort conditions, a load worker that died or is
not heard, the halt switch. What the verdict says is read from the recording afterwards.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.agent.effects import Curve
from harness.clock import SECOND, Epoch
from harness.load.driver import Driver, LoadEnd
from harness.load.reading import Tail
from harness.measure.live import BLIND_S, AbortWatch, LiveView
from harness.measure.speaking import spoken
from harness.record.directory import RunDirectory
from harness.record.plan import Plan
from harness.report.progress import Progress, Update
from harness.run import state
from harness.run.deciding import Deciding
from harness.run.lifecycle import Abort, Decided
from harness.substrates.substrate import Child, World

CLIENT = "client"
#: The progress is told so often; what may end a run is judged each time.
UPDATE_S = 0.25

Noted = Callable[[Epoch], None]


class Watcher:
    """`noted` is called once, with the epoch, before the load begins."""

    def __init__(
        self, plan: Plan, directory: RunDirectory, world: World, progress: Progress,
        hosts: tuple[str, ...], noted: Noted,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._progress = progress
        self._noted = noted
        self._epoch: Epoch | None = None
        self._halted, self._place_gate = world.halted, world.gate
        self._driver = _driver(plan, directory, world, hosts)
        self._tail = Tail(directory.path)
        self._view: LiveView | None = None
        self._aborts = AbortWatch(plan.aborts)
        self._next_update = -math.inf
        self._deciding: Deciding | None = None
        self._end = LoadEnd(0, 0, 0, 0.0, ())

    def epoch(self) -> float:
        """Second 0 in monotonic seconds; as if the load began now while it has not."""
        if self._epoch is None:
            return time.monotonic() + self._plan.warmup
        return self._epoch.mono_ns / SECOND

    def start(self) -> None:
        mono = time.monotonic_ns()
        if self._driver:
            self._progress.phase("starting the load")
            self._driver.start()
            mono = self._driver.epoch_ns
        epoch = Epoch(mono, time.time_ns() + mono - time.monotonic_ns())
        self._noted(epoch)
        workers = self._plan.load.workers if self._plan.load else 0
        timeout = self._plan.load.timeout if self._plan.load else 0.0
        self._view = LiveView(epoch, timeout, workers)
        self._deciding = Deciding(self._plan, epoch) if self._plan.until_decided else None
        self._epoch = epoch

    def stop(self) -> None:
        if self._driver:
            self._end = self._driver.stop()

    def hurry(self) -> None:
        if self._driver:
            self._driver.hurry()

    def ended(self) -> dict[str, Any]:
        """What the journal keeps of the load."""
        return asdict(self._end)

    def gate(self, *, alone: bool) -> str:
        if alone and (why := self._place_gate()):
            return why
        if self._driver is None or self._view is None:
            return ""
        return self._view.gate(self._plan.objectives, alone=alone)

    def watch(self, now: float, active: tuple[str, ...]) -> Abort | Decided | None:
        if why := state.halted() or self._halted():
            return Abort(why, "person")
        if self._driver is None or self._view is None:
            return None
        rows = self._tail.rows()
        self._view.feed(rows, self._tail.names, self._tail.states(), time.monotonic_ns())
        if now >= self._next_update:
            self._next_update = now + UPDATE_S
            self._progress.update(self._update(now, active, self._view))
        if why_abort := self._why_abort(now):
            return why_abort
        return self._deciding.feed(rows, self._tail.names, now, active) if self._deciding else None

    def _why_abort(self, now: float) -> Abort | None:
        assert self._driver is not None, "called with a load"
        assert self._view is not None, "called with a load"
        if died := self._driver.died():
            return Abort(died[0], "blind")
        if self._view.blind_s >= BLIND_S and now < self._plan.duration:
            return Abort(f"no measurement for {self._view.blind_s:.1f} s", "blind")
        if why := self._aborts.look(self._view, now):
            return Abort(why, "guard")
        return None

    def _update(self, now: float, active: tuple[str, ...], view: LiveView) -> Update:
        assert self._plan.load is not None, "called with a load"
        live = view.now()
        load = self._plan.load
        asked = Curve(load.rate, load.rate_smooth, load.rate_every)
        return Update(
            now, active, asked.at(now + self._plan.warmup), live.rate,
            live.availability, live.p99_s * 1e3, spoken(self._plan, view, active, now),
        )  # fmt: skip


def _driver(
    plan: Plan, directory: RunDirectory, world: World, hosts: tuple[str, ...]
) -> Driver | None:
    if plan.load is None:
        return None

    def spawn(argv: tuple[str, ...], log: Path) -> Child:
        return world.spawn(CLIENT, argv, log)

    load = replace(plan.load, url=world.url(plan.load.url))
    launch = world.launch if load.origin != "here" else None
    return Driver(load, directory.path, spawn, hosts, launch)
