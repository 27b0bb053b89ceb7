"""Processes are stopped, continued and killed by signals.

A stop is made again every 100 ms for as long as it is in force, because newcomers run. Taking back
continues those that were not stopped before: stopped is a state that /proc shows, so a fresh
process (the reaper) can do it with the snapshot alone. Caveat: a target notices SIGCONT if it asks
for it, and its parent the stop.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass
from typing import Dict, Optional, Set, Tuple, Union

from harness.agent.effects import (
    Act,
    Effect,
    Exercised,
    InForce,
    Kill,
    Process,
    Processes,
    ProcessesSeen,
    Snapshot,
    Stopped,
)
from harness.agent.protocol import Failed, TargetGone
from harness.mechanisms.callers import Callers, connected, heard
from harness.mechanisms.processes import find, is_alive, name_of, send

_TICK_S = 0.1
_PASSES = 20  # a pass over all processes; more than one where they fork meanwhile
_KILL_S = 2.0
_STOPPED, _TRACED = "T", "t"


@dataclass
class _Hold:
    """A stop in force, and the thread that makes it again for newcomers."""

    over: threading.Event
    thread: threading.Thread


class Signals:
    """The mechanism for `Processes`."""

    name = "signals"

    def __init__(self) -> None:
        self._holds: Dict[Processes, _Hold] = {}
        self._met: Dict[Tuple[Processes, str], Callers] = {}
        self._killed: Dict[Processes, Tuple[Process, ...]] = {}
        self._heard: Dict[Processes, Callers] = {}

    def works(self, target: Optional[Processes] = None, effects: Tuple[Effect, ...] = ()) -> str:
        """Why it does not work here, or nothing."""
        if hasattr(signal, "pidfd_send_signal"):
            return ""
        return "this Python cannot signal a process without the danger of hitting another"

    def snapshot(self, target: Processes) -> Snapshot:
        """Which are stopped already: they stay so."""
        stopped = [name_of(p) for p in _some(target) if p.state == _STOPPED]
        return Snapshot(self.name, {"stopped": " ".join(stopped)})

    def make(self, target: Processes, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        if not all(isinstance(effect.effect, Stopped) for effect in effects):
            raise Failed("signals can hold processes stopped, and nothing else")
        self._release(target)
        if effects:
            _some(target)
            self._hold(target, tuple(effect.id for effect in effects))
        else:
            _continue(target, set(snapshot.settings.get("stopped", "").split()))

    def act(self, target: Processes, act: Act, effect_id: str) -> ProcessesSeen:
        """Kill them all, once. Newcomers are left alone."""
        if not isinstance(act, Kill):
            raise Failed(f"signals cannot {type(act).__name__.lower()}")
        begin, number = time.monotonic(), _number(act.signal)
        victims = _some(target)
        # Those of a moment ago, too: callers that come and go would be missed by chance.
        self._met[target, effect_id] = connected(target) | self._heard.pop(target, frozenset())
        if number is signal.SIGKILL:
            victims = _stop(target)  # so that nobody forks or is replaced meanwhile
        self._killed[target] = victims
        for process in victims:
            send(process, number)
        while _still_there(victims) and time.monotonic() < begin + _KILL_S:
            time.sleep(0.01)
        return self._seen(target, begin)

    def measure(
        self, target: Processes, effect: Union[Effect, Act, None], for_s: float
    ) -> ProcessesSeen:  # fmt: skip
        """What /proc says at the end of that time; before a kill, also who calls meanwhile."""
        begin = time.monotonic()
        if isinstance(effect, Kill):
            self._heard[target] = heard(target, for_s)
        else:
            time.sleep(for_s)
        return self._seen(target, begin)

    def exercised(self, target: Processes, effect_id: str) -> Exercised:
        """Callers that waited for a stopped target; for a kill, those connected then, or in the
        look before it: of one that is still to come, those."""
        heard_before = self._heard.get(target, frozenset())
        return Exercised(len(self._met.get((target, effect_id), heard_before)), "connections")

    def _seen(self, target: Processes, begin: float) -> ProcessesSeen:
        alive = find(target)
        there = {name_of(process) for process in alive}
        gone = tuple(p for p in self._killed.get(target, ()) if name_of(p) not in there)
        return ProcessesSeen(begin, time.monotonic(), alive, gone)

    # ------------------------------------------------------------ a stop that is held

    def _hold(self, target: Processes, ids: Tuple[str, ...]) -> None:
        before = connected(target)
        _stop(target)
        over = threading.Event()

        def keep() -> None:
            while not over.wait(_TICK_S):
                _stop(target)
                waiting = connected(target, waiting=True) | (connected(target) - before)
                for effect_id in ids:
                    met = self._met.get((target, effect_id), frozenset())
                    self._met[target, effect_id] = met | waiting

        for effect_id in ids:
            self._met.setdefault((target, effect_id), frozenset())
        self._holds[target] = _Hold(over, threading.Thread(target=keep, daemon=True))
        self._holds[target].thread.start()

    def _release(self, target: Processes) -> None:
        hold = self._holds.pop(target, None)
        if hold is not None:
            hold.over.set()
            hold.thread.join()


def _some(target: Processes) -> Tuple[Process, ...]:
    found = find(target)
    if not found:
        raise TargetGone(f"{target.target} has no process")
    return found


def _stop(target: Processes) -> Tuple[Process, ...]:
    """Stop all, and those that they started meanwhile; they are what it returns."""
    for _ in range(_PASSES):
        running = [p for p in find(target) if p.state not in (_STOPPED, _TRACED)]
        sent = [send(process, signal.SIGSTOP) for process in running]
        if not any(sent):
            break
        time.sleep(0.001)
    return find(target)


def _continue(target: Processes, but: Set[str]) -> None:
    """Continue all that are stopped, except those that were before."""
    for process in find(target):
        if process.state == _STOPPED and name_of(process) not in but:
            send(process, signal.SIGCONT)


def _still_there(victims: Tuple[Process, ...]) -> bool:
    return any(is_alive(process) for process in victims)


def _number(name: str) -> signal.Signals:
    try:
        return signal.Signals["SIG" + name.upper()]
    except KeyError:
        raise Failed(f"no signal is called {name}") from None
