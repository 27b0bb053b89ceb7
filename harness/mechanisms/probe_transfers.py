"""One connection of ours along an edge: it asks, and sees when, how much and how the answer comes.

What it says is said again and again: as often as the answers asked for take. What it was answered
is counted in bytes over its whole life, so that an answer that comes late is not taken for the
next one's.
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass, replace
from typing import Callable, List, Optional

from harness.agent.effects import Transfer

_PINGS = 5  # in each look
_READ = 1 << 18
_AS_ONE_S = 0.0005


@dataclass(frozen=True)
class Speech:
    """What a probe says, and how many bytes answer it. `echoed`: with the very same bytes, so
    that others show that the probe went astray. `greeting` comes before its first words, `welcome`
    bytes before their answer."""

    ask: bytes
    answer: int
    echoed: bool = False
    greeting: bytes = b""
    welcome: int = 0


@dataclass(frozen=True)
class Line:
    """The way to the other side: `connect` to the which-th of `ways`, within seconds."""

    speech: Speech
    ways: int
    connect: Callable[[int, float], socket.socket]


@dataclass(frozen=True)
class Question:
    """What one probe is to find out: `bytes` that are to come (0: a few short answers), and, with
    `closes`, how long the other side takes to end the connection once we have."""

    bytes: int = 0
    closes: bool = False


class Probe:
    """One connection. After an outcome that is not ok or timeout it is over, and says so again."""

    def __init__(self, line: Line, which: int, within_s: float) -> None:
        self._speech = line.speech
        self._owed = 0
        self._received = 0
        self._socket: Optional[socket.socket] = None
        self.over = ""
        self.begun = time.monotonic()
        try:
            self._socket = line.connect(which % line.ways, within_s)
        except OSError as error:
            self.over = outcome_of(error)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1]) if self._socket else 0

    def close(self) -> None:
        if self._socket:
            self._socket.close()

    def died(self) -> bool:
        """Whether it is over, or has ended since we looked last."""
        if self.over or self._socket is None:
            return True
        try:
            self._socket.settimeout(0)
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def answers(self, question: Question, for_s: float, patience_s: float) -> Transfer:
        """What is to be found out, in about `for_s` seconds."""
        until = time.monotonic() + patience_s
        if question.bytes:
            found = self.fetch(question.bytes, patience_s)
        else:
            found = self.pings(for_s, patience_s)
        if question.closes and found.outcome == "ok":
            return replace(found, closing=self._closing(max(0.05, until - time.monotonic())))
        return found

    def pings(self, for_s: float, patience_s: float) -> Transfer:
        """The one with the median time of a few; ends with the first that fails."""
        begun = time.monotonic()
        found: List[Transfer] = []
        for beat in range(_PINGS):
            ahead_s = begun + beat * for_s / _PINGS - time.monotonic()
            if ahead_s < -for_s / _PINGS:
                continue  # the one before took this one's time
            time.sleep(max(0.0, ahead_s))
            found.append(self.fetch(1, patience_s))
            if found[-1].outcome != "ok":
                return found[-1]
        return sorted(found, key=lambda one: one.round_trip + one.took)[len(found) // 2]

    def fetch(self, wanted: int, patience_s: float) -> Transfer:
        """Ask for at least so many bytes, and read them."""
        begun = time.monotonic()
        if self.over or self._socket is None:
            return Transfer(self.begun, self.over)
        speech, new = self._speech, self._owed == 0
        times = -(-wanted // speech.answer)
        said = speech.greeting * new + speech.ask * times
        self._owed += speech.welcome * new + speech.answer * times
        found = self._exchange(self._socket, said, begun, begun + patience_s)
        if found.outcome not in ("ok", "timeout"):
            self.over = found.outcome
        return found

    def _exchange(self, talks: socket.socket, data: bytes, begun: float, until: float) -> Transfer:
        """Send and read at the same time: who waits with either may wait for ever."""
        talks.setblocking(False)
        rest, arrivals, came = memoryview(data), [], 0
        outcome = "ok"
        while self._received < self._owed:
            left = until - time.monotonic()
            ready = select.select([talks], [talks] if rest else [], [], max(0.0, left))
            if left <= 0 or not (ready[0] or ready[1]):
                outcome = "timeout"
                break
            try:
                if ready[1]:
                    rest = rest[talks.send(rest) :]
                got = talks.recv(_READ) if ready[0] else None
            except OSError as error:
                outcome = outcome_of(error)
                break
            if got is not None:
                outcome = self._heard(got)
                if outcome != "ok":
                    break
                arrivals.append(time.monotonic())
                came += len(got)
        first, last = (arrivals[0], arrivals[-1]) if arrivals else (time.monotonic(),) * 2
        return Transfer(begun, outcome, first - begun, came, _pieces(arrivals), last - first)

    def _heard(self, got: bytes) -> str:
        if not got:
            return "closed"
        if self._speech.echoed:
            ask, at = self._speech.ask, self._received % len(self._speech.ask)
            said = (ask * (len(got) // len(ask) + 2))[at : at + len(got)]
            if got != said:
                return "bypassed"
        self._received += len(got)
        return "ok"

    def _closing(self, patience_s: float) -> float:
        """Seconds from our end of the connection to theirs."""
        assert self._socket is not None, "it was answered"
        begun = time.monotonic()
        self.over = "closed"
        try:
            self._socket.settimeout(patience_s)
            self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(_READ):
                pass
        except OSError:
            pass  # a reset is an end as well; one that does not come took at least this long
        return time.monotonic() - begun


def _pieces(arrivals: List[float]) -> int:
    """One piece may come in several packets."""
    apart = sum(b - a >= _AS_ONE_S for a, b in zip(arrivals, arrivals[1:]))  # noqa: RUF007, B905  not before 3.10
    return apart + bool(arrivals)


def outcome_of(error: OSError) -> str:
    if isinstance(error, (socket.timeout, BlockingIOError)):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    return "timeout"
