"""The only place that does things: one owner thread for the engine and the journal.

Blocking commands run in a bounded pool; their answers come back through one queue. The lease is
renewed here, by the loop itself and never by a thread of its own: a loop that hangs must lose it.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Protocol

from harness.agent.button import HALT
from harness.agent.effects import encode
from harness.capabilities import HandsError
from harness.errors import UsageError
from harness.record.journal import Journal, StepName
from harness.record.plan import Plan
from harness.run import lifecycle as go
from harness.run.dispatch import dispatch
from harness.run.engine import Engine
from harness.run.perform import Performer
from harness.substrates.substrate import World

TICK_S = 0.05
#: Abort conditions and blindness are judged each so often, as soon as rows are on disk.
WATCH_S = 0.05
TROUBLES_S = 0.5
#: However a run was ended, its taking back is given this long before the run gives up waiting.
GRACE_S = 90.0

log = logging.getLogger(__name__)

#: Looks of all effects may be under way at once, and a revert must never wait behind them.
_WORKERS_AT_MOST = 512
_ENDS: tuple[str, ...] = ("gone", "target_gone", "left_behind")


class LoadAndLive(Protocol):
    """What the loop needs of the east wing: load, live measurement, progress."""

    def start(self) -> None:
        """Start the load; returns when second 0 of the run is known."""
        ...

    def stop(self) -> None:
        """End it and wait."""
        ...

    def hurry(self) -> None:
        """Wait no longer for requests in flight."""
        ...

    def epoch(self) -> float:
        """The end of the warm-up on the monotonic clock, in seconds."""
        ...

    def gate(self, *, alone: bool) -> str:
        """Why no fault may begin now, or empty."""
        ...

    def watch(self, now: float, active: tuple[str, ...]) -> go.Abort | go.Decided | None:
        """Look at the live measurement; what it says to end. Also draws progress."""
        ...


class Interpreter:
    def __init__(
        self, plan: Plan, engine: Engine, performer: Performer, world: World, journal: Journal,
        load: LoadAndLive, full: Callable[[], str], renew_s: float,
        recheck: Callable[[str, tuple[str, ...]], str],
    ) -> None:  # fmt: skip
        """`recheck` says why an intervention may not begin beside others, by a fresh look."""
        self.unwritten = ""  # why the journal could not be written, if it could not
        self._engine = engine
        self._performer = performer
        self._world = world
        self._journal = journal
        self._load = load
        self._full = full
        self._renew_s = renew_s
        self._recheck = recheck
        self._events: queue.SimpleQueue[go.Event] = queue.SimpleQueue()
        workers = min(_WORKERS_AT_MOST, 4 + 2 * len(plan.effects))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="effect")
        self._refused: UsageError | None = None
        self._due = {"renew": 0.0, "watch": 0.0, "troubles": 0.0}
        self._signalled = 0
        self._deadline = time.monotonic() + plan.max_duration + GRACE_S

    def run(self) -> None:
        """Drive the engine to its end. Returns when everything was taken back or given up; raises
        the `UsageError` of a load that cannot be started."""
        try:
            self._feed(go.Begin())
            while not self._engine.finished and time.monotonic() < self._deadline:
                self._step()
            self._say_what_is_open()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._refused:
            raise self._refused

    def end(self, signal_name: str) -> None:
        """A person or a signal: take everything back; the second time without pauses."""
        self._signalled += 1
        if self._signalled > 1:
            self._performer.hurry()
            self._load.hurry()
        self._events.put(go.Abort(f"received {signal_name}", "person"))

    def _say_what_is_open(self) -> None:
        """Nothing, unless time was over first."""
        for effect, life in self._engine.lives.items():
            if life.state in go.ON:
                what = [f"it was not seen gone within {GRACE_S:g} s of the end"]
                self._write(go.Write("left_behind", effect, {"what": what}))

    def _step(self) -> None:
        with suppress(queue.Empty):
            self._feed(self._events.get(timeout=TICK_S))
        if self._engine.load == "running":
            self._feed(go.Tick(time.monotonic() - self._load.epoch()))
        self._duties(time.monotonic())

    # ------------------------------------------------------------ commands

    def _feed(self, event: go.Event) -> None:
        if isinstance(event, go.Abort):
            self._deadline = min(self._deadline, time.monotonic() + GRACE_S)
        unwritten, cancelled = dispatch(self._engine.feed(event), self._write, self._send)
        for failure in unwritten:  # before anything else is fed: nothing may build on that line
            self._feed(failure)
        for failure in cancelled:
            self._events.put(failure)

    def _send(self, command: go.Command) -> None:
        self._pool.submit(self._carry_out, command)

    def _carry_out(self, command: go.Command) -> None:
        try:
            self._events.put(go.Done(command, self._result(command)))
        except HandsError as error:
            self._events.put(go.Failed(command, str(error), error.target_gone))
        except UsageError as error:
            self._refused = error
            self._events.put(go.Failed(command, str(error)))
        except Exception as error:
            log.exception("%s failed", command)
            self._events.put(go.Failed(command, f"{type(error).__name__}: {error}"))

    def _result(self, command: go.Command) -> Any:
        match command:
            case go.StartLoad():
                return self._load.start()
            case go.StopLoad():
                return self._load.stop()
            case go.AskGate(intervention, alone, beside):
                return self._load.gate(alone=alone) or self._recheck(intervention, beside)
        return self._performer.perform(command)

    # ------------------------------------------------------------ the journal

    def _write(self, command: go.Write) -> str:
        """Append; why that could not be done, or empty."""
        try:
            if command.step in _ENDS:
                self._write_judgement(command.effect)
            self._note(command.step, command.effect, **encode(command.data))
        except OSError as error:
            self.unwritten = str(error)
        else:
            return ""
        return self.unwritten

    def _note(self, step: StepName, effect: str = "", **data: Any) -> None:
        self._journal.append(step, effect, **data)

    def _write_judgement(self, effect_id: str) -> None:
        effect = self._engine.lives[effect_id].plan
        if effect.prepare:
            return
        try:
            lines = self._performer.judged(effect)
        except Exception:  # a fault's own code must not stop what is taken back
            log.exception("%s could not be judged", effect_id)
            lines = ()
        seen = any(line.confirmed for line in lines)
        confirmed = seen and all(line.confirmed is not False for line in lines)
        self._note("judged", effect_id, witnessed=[asdict(w) for w in lines], confirmed=confirmed)
        self._note("exercised", effect_id, **asdict(self._performer.exercised(effect)))

    # ------------------------------------------------------------ duties

    def _duties(self, now: float) -> None:
        if self._is_due("renew", now, self._renew_s):
            self._renew()
        told: go.Abort | go.Decided | None = None
        if self._is_due("troubles", now, TROUBLES_S):
            told = self._watch_world()
        if self._is_due("watch", now, WATCH_S):
            told = told or self._watch_load(now - self._load.epoch())
            if isinstance(told, go.Abort):  # a world that ended takes its load with it
                told = self._watch_world() or told
        if told and not self._engine.aborted:
            self._feed(told)

    def _watch_world(self) -> go.Abort | None:
        try:
            if why := self._full():
                return go.Abort(why, "disk")
            for trouble in self._world.troubles():
                self._write(go.Write("trouble", "", {"what": trouble}))
            for move in self._world.moves():
                self._feed(move)
        except HandsError as error:
            return go.Abort(str(error), "world")
        except OSError as error:
            return go.Abort(f"the run directory cannot be read: {error}", "disk")
        return None

    def _watch_load(self, now: float) -> go.Abort | go.Decided | None:
        try:
            return self._load.watch(now, self._engine.active)
        except Exception as error:  # whoever cannot see must not go on, and must take back
            log.exception("the measurement failed")
            return go.Abort(f"the measurement failed: {type(error).__name__}: {error}", "internal")

    def _is_due(self, duty: str, now: float, every_s: float) -> bool:
        if now < self._due[duty]:
            return False
        self._due[duty] = now + every_s
        return True

    def _renew(self) -> None:
        try:
            self._world.hands.renew()
        except HandsError as error:
            if self._engine.aborted:
                return
            if HALT in str(error):  # its agent saw the red button
                self._feed(go.Abort(str(error), "person"))
            else:  # a world that ended takes its agent with it
                self._feed(self._watch_world() or go.Abort(str(error), "lease"))
