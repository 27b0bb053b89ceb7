"""One replica in the supervisor's hands: started, ended, started again, given up.

A replica lives as long as its main process; what that leaves behind is ended too before anything
starts again, or a server would find its predecessor's children. Nothing here waits: `advance` is
called by the supervisor's loop until there is nothing left to do.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from enum import Enum

from harness.agent.effects import Process
from harness.substrates.local import processes
from harness.substrates.local.ground import Ground, Start
from harness.substrates.local.spec import Command

_SHORT_LIFE_S = 2.0
_SHORT_LIVES = 5


class State(Enum):
    NEW = "not started"
    RUNNING = "running"
    ENDING = "ending"
    WAITING = "waiting to start again"
    ENDED = "ended"


class Replica:
    def __init__(self, command: Command, ground: Ground, tell: Callable[[str], None]) -> None:
        self.name = command.host
        self.state = State.NEW
        self.main = 0
        self._command = command
        self._ground = ground
        self._tell = tell
        self._started = self._due = 0.0
        self._short_lives = 0
        self._again = False
        self._done: Callable[[], None] | None = None

    def start(self) -> None:
        """Raises OSError when the command cannot be executed."""
        log = os.open(
            self._command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        command = self._command
        try:
            stdio = (nothing, log, log)
            env = dict(command.env)
            what = Start(self.name, command.argv, env, command.cwd, True, stdio)
            self.main = self._ground.start_replica(what)
        finally:
            os.close(log)
            os.close(nothing)
        self.state, self._started = State.RUNNING, time.monotonic()

    def restart(self, grace_s: float, done: Callable[[], None]) -> None:
        """TERM to all of it, KILL after `grace_s`, and start again; then call `done`."""
        if self._done:
            raise RuntimeError(f"{self.name} is being restarted already")
        self._done, self._again = done, True
        self.state, self._due = State.ENDING, time.monotonic() + grace_s
        processes.signal_all(self.processes(), signal.SIGTERM)

    def ended(self, status: int) -> None:
        """The main process was waited for."""
        self.main = 0
        if self.state is not State.RUNNING:
            return
        now = time.monotonic()
        self._tell(f"{self.name} {_how(status)}")
        self._short_lives = self._short_lives + 1 if now - self._started < _SHORT_LIFE_S else 0
        self._again = self._command.restart_after is not None
        if self._again and self._short_lives >= _SHORT_LIVES:
            self._again = False
            self._tell(f"{self.name} is given up: it ended {_SHORT_LIVES} times at once")
        self.state, self._due = State.ENDING, now

    def advance(self) -> None:
        now = time.monotonic()
        if self.state is State.ENDING:
            self._end(now)
        if self.state is State.WAITING and now >= self._due:
            self._start_again()

    def processes(self) -> tuple[Process, ...]:
        return self._ground.processes(self.name)

    @property
    def busy(self) -> bool:
        return self.state in (State.ENDING, State.WAITING)

    def _end(self, now: float) -> None:
        left = self.processes()
        if left and now >= self._due:
            processes.signal_all(left, signal.SIGKILL)
        if left or self.main:
            return
        wait = 0.0 if self._done else self._command.restart_after or 0.0
        self.state = State.WAITING if self._again else State.ENDED
        self._due = max(now, self._started) + wait

    def _start_again(self) -> None:
        try:
            self.start()
        except OSError as error:
            self.state = State.ENDED
            self._tell(f"{self.name} cannot be started again: {error}")
        done, self._done = self._done, None
        if done:
            done()
        elif self.state is State.RUNNING:
            self._tell(f"{self.name} was started again")


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exited with {os.WEXITSTATUS(status)}"
