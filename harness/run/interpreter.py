"""The only place that does things: one owner thread for the engine and the journal.

Blocking commands run in a bounded pool; their answers come back through one queue. The lease is
renewed here, by the loop itself and never by a thread of its own: a loop that hangs must lose it.
"""

from __future__ import annotations

import logging
import queue
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from types import FrameType
from typing import Any, Protocol

from harness.agent.effects import encode
from harness.capabilities import Hands, HandsError
from harness.record.journal import Journal, StepName
from harness.record.plan import Plan
from harness.run import lifecycle as go
from harness.run.engine import Engine
from harness.run.perform import Performer

TICK_S = 0.05
RENEW_S = 1.5
#: Abort conditions and blindness are judged each so often, as soon as rows are on disk.
WATCH_S = 0.05
TROUBLES_S = 0.5
#: However a run was ended, its taking back is given this long before the run gives up waiting.
GRACE_S = 90.0

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDS: tuple[str, ...] = ("gone", "target_gone", "left_behind")
_BEFORE_EFFECT: tuple[str, ...] = ("receipt", "injecting", "acting")


class LoadAndLive(Protocol):
    """What the loop needs of the east wing: load, live measurement, progress."""

    def start(self) -> None:
        """Start the load; returns when second 0 of the run is known."""
        ...

    def stop(self) -> None:
        """End it and wait."""
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
        self, plan: Plan, engine: Engine, performer: Performer, hands: Hands, journal: Journal,
        load: LoadAndLive, troubles: Any,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._engine = engine
        self._performer = performer
        self._hands = hands
        self._journal = journal
        self._load = load
        self._troubles = troubles
        self._events: queue.SimpleQueue[go.Event] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="effect")
        self._due = {"renew": 0.0, "watch": 0.0, "troubles": 0.0}
        self._signalled = 0
        self._deadline = time.monotonic() + plan.max_duration + GRACE_S

    def run(self) -> None:
        """Drive the engine to its end. Returns when everything was taken back or given up."""
        with self._listening_to_signals():
            try:
                self._feed(go.Begin())
                while not self._engine.finished and time.monotonic() < self._deadline:
                    self._step()
            finally:
                self._pool.shutdown(wait=False, cancel_futures=True)

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
        broken: dict[str, str] = {}
        for command in self._engine.feed(event):
            if isinstance(command, go.Write):
                if why := self._write(command):
                    broken[command.effect] = why
            elif not isinstance(command, go.Finish):
                self._send(command, broken.get(getattr(command, "effect", "")))

    def _send(self, command: go.Command, broken: str | None) -> None:
        if broken:
            self._events.put(go.Failed(command, f"the journal cannot be written: {broken}"))
        else:
            self._pool.submit(self._carry_out, command)

    def _carry_out(self, command: go.Command) -> None:
        try:
            self._events.put(go.Done(command, self._result(command)))
        except HandsError as error:
            self._events.put(go.Failed(command, str(error), error.target_gone))
        except Exception as error:
            log.exception("%s failed", command)
            self._events.put(go.Failed(command, f"{type(error).__name__}: {error}"))

    def _result(self, command: go.Command) -> Any:
        match command:
            case go.StartLoad():
                return self._load.start()
            case go.StopLoad():
                return self._load.stop()
            case go.AskGate(_, alone):
                return self._load.gate(alone=alone)
        return self._performer.perform(command)

    # ------------------------------------------------------------ the journal

    def _write(self, command: go.Write) -> str:
        """Append; why an effect must not be made now, or empty."""
        try:
            if command.step in _ENDS:
                self._write_judgement(command.effect)
            self.note(command.step, command.effect, **encode(command.data))
        except OSError as error:
            self._events.put(go.Failed(command, str(error)))
            return str(error) if command.step in _BEFORE_EFFECT else ""
        return ""

    def note(self, step: StepName, effect: str = "", **data: Any) -> None:
        self._journal.append(step, effect, **data)

    def _write_judgement(self, effect_id: str) -> None:
        effect = self._plan.effect(effect_id)
        if effect.prepare:
            return
        lines = self._performer.judged(effect)
        seen = any(line.confirmed for line in lines)
        confirmed = seen and all(line.confirmed is not False for line in lines)
        self.note("judged", effect_id, witnessed=[asdict(w) for w in lines], confirmed=confirmed)
        self.note("exercised", effect_id, **asdict(self._performer.exercised(effect)))

    # ------------------------------------------------------------ duties

    def _duties(self, now: float) -> None:
        if self._is_due("renew", now, RENEW_S):
            self._renew()
        if self._is_due("troubles", now, TROUBLES_S):
            for trouble in self._troubles():
                self.note("trouble", what=trouble)
        if self._is_due("watch", now, WATCH_S):
            abort = self._load.watch(now - self._load.epoch(), self._engine.active)
            if abort and not self._engine.aborted:
                self._feed(abort)

    def _is_due(self, duty: str, now: float, every_s: float) -> bool:
        if now < self._due[duty]:
            return False
        self._due[duty] = now + every_s
        return True

    def _renew(self) -> None:
        try:
            self._hands.renew()
        except HandsError as error:
            if not self._engine.aborted:
                self._feed(go.Abort(f"the lease was lost: {error}", "lease"))

    @contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled += 1
        if self._signalled > 1:
            self._performer.hurry()
        self._events.put(go.Abort(f"received {signal.Signals(number).name}", "person"))
