"""The witness of an edge: connections of our own to the real address, from the caller's place.

They go through the real redirect and the real toxics and come back, because the proxy knows them
by their source port and echoes them. Some are opened in each look, so that a toxic on a part of
them shows, and one is kept open from look to look: a toxic that misses connections that live
already shows as a difference between the two.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import struct
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

from harness.agent.effects import PROBE_PORTS, Edge, EdgeSeen
from harness.agent.protocol import Failed
from harness.mechanisms.namespaces import inside

_PINGS = 5  # in each look
#: Short connections a second; shares need more to be told apart.
_MORE, _MORE_OF_SHARES = 8, 20
_MOST = 24  # connections at a time
_EARLY, _SHORTEST_S = 0.8, 0.05  # the last of them are to be answered within the look, too
_NONCE = struct.Struct("!8sQ")
_MAGIC = b"hxprobe\n"

#: A connection to that one of an edge's addresses, within so many seconds. Raises OSError.
Dial = Callable[[int, float], socket.socket]


@dataclass(frozen=True)
class Answer:
    outcome: str
    round_trip: float = 0.0


class Probe:
    """One connection. After an outcome that is not ok or timeout it is over, and says so again."""

    def __init__(self, dial: Dial, which: int, within_s: float) -> None:
        self._sent = 0
        self._socket: Optional[socket.socket] = None
        self.over = ""
        begun = time.monotonic()
        try:
            self._socket = dial(which, within_s)
        except OSError as error:
            self.over = _outcome(error)
        self.connect_s = time.monotonic() - begun

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

    def pings(self, for_s: float, patience_s: float) -> Answer:
        """The median round trip of a few over that time; ends with the first that fails."""
        begun = time.monotonic()
        trips: List[float] = []
        for beat in range(_PINGS):
            ahead_s = begun + beat * for_s / _PINGS - time.monotonic()
            if ahead_s < -for_s / _PINGS:
                continue  # the one before took this one's time
            time.sleep(max(0.0, ahead_s))
            one = self.ping(patience_s)
            if one.outcome != "ok":
                return one
            trips.append(one.round_trip)
        return Answer("ok", sorted(trips)[len(trips) // 2])

    def ping(self, patience_s: float) -> Answer:
        if self.over or self._socket is None:
            return Answer(self.over)
        self._sent += 1
        begun = time.monotonic()
        try:
            self._socket.settimeout(patience_s)
            self._socket.sendall(_NONCE.pack(_MAGIC, self._sent))
            outcome = self._hear(self._socket, begun + patience_s)
        except OSError as error:
            outcome = _outcome(error)
        if outcome not in ("ok", "timeout"):
            self.over = outcome
        return Answer(outcome, time.monotonic() - begun)

    def _hear(self, heard: socket.socket, until: float) -> str:
        """Read up to our last question; earlier ones may come back late."""
        number = 0
        while number != self._sent:
            data = b""
            while len(data) < _NONCE.size:
                heard.settimeout(max(0.001, until - time.monotonic()))
                more = heard.recv(_NONCE.size - len(data))
                if not more:
                    return "closed"
                data += more
            magic, number = _NONCE.unpack(data)
            if magic != _MAGIC:
                return "bypassed"
        return "ok"


class Witness:
    """The probes of one edge, which has so many addresses; one look at a time. `reached` says
    whether what came from a port has come to the proxy."""

    def __init__(self, dial: Dial, ways: int, reached: Callable[[int], bool]) -> None:
        self._dial, self._ways, self._reached = dial, ways, reached
        self._turn = threading.Lock()
        self._turns = itertools.count()
        self._retry = False
        self._old = self._open(0, 1.0)

    def changed(self) -> None:
        """The toxics have changed: an old connection that had ended before may be opened again."""
        self._retry = bool(self._old.over)

    def look(self, for_s: float, patience_s: float, calm: bool, share: float = 1.0) -> EdgeSeen:
        """`calm`: nothing in force breaks connections, so that a broken one may be replaced.
        `share`: of the connections, what is looked for."""
        with self._turn:
            if self._retry or (calm and self._old.died()):
                self._reopen()
            begin = time.monotonic()
            pace = 1.0 / (_MORE if share >= 1 else _MORE_OF_SHARES)
            with ThreadPoolExecutor(_MOST) as pool:
                new = pool.submit(self._new, patience_s, lambda one: one.pings(for_s, patience_s))
                kept = pool.submit(self._old.pings, for_s, patience_s)
                more = self._spread(pool, pace, begin + _EARLY * for_s, begin + patience_s)
                first, old = new.result(), kept.result()
                answers = tuple((a.result().outcome, a.result().round_trip) for a in more)
            return EdgeSeen(
                begin, time.monotonic(), first.outcome, first.round_trip,
                old.outcome, old.round_trip, answers,
            )  # fmt: skip

    def close(self) -> None:
        self._old.close()

    def _reopen(self) -> None:
        self._retry = False
        fresh = self._open(0, 1.0)
        if fresh.over in ("", "bypassed"):
            self._old.close()
            self._old = fresh

    def _spread(
        self, pool: ThreadPoolExecutor, pace: float, until: float, answers_until: float
    ) -> List[Future[Answer]]:
        """Short connections until then; no more of them once one was found to be bypassed."""
        begun: List[Future[Answer]] = []

        def once(one: Probe) -> Answer:
            return one.ping(max(_SHORTEST_S, answers_until - time.monotonic()))

        while time.monotonic() + pace < until:
            if any(one.done() and one.result().outcome == "bypassed" for one in begun):
                break
            begun.append(pool.submit(self._new, answers_until - time.monotonic(), once))
            time.sleep(pace)
        return begun

    def _new(self, patience_s: float, ask: Callable[[Probe], Answer]) -> Answer:
        """Each to the next address: a redirect that misses one of them shows."""
        which = next(self._turns) % self._ways
        with contextlib.closing(self._open(which, patience_s)) as probe:
            return ask(probe)

    def _open(self, which: int, within_s: float) -> Probe:
        """A real server shall not get our bytes: a probe that does not come through is over."""
        probe = Probe(self._dial, which, within_s)
        if not probe.over and not self._came_through(probe.port):
            probe.over = "bypassed"
        return probe

    def _came_through(self, port: int) -> bool:
        try:
            return self._reached(port)
        except Failed:
            return False


def dial_redirected(edge: Edge, which: int, within_s: float) -> socket.socket:
    """From the caller's place to that one of the real addresses.

    Each address has probe ports of its own: from one port to two of them, the redirect would have
    to change the source port, and the proxy would take us for the application.
    """
    ports = PROBE_PORTS[which :: len(edge.upstreams)]
    goal = (edge.upstreams[which], edge.port)
    return inside(edge.netns, lambda: connect(goal, ports, within_s))


def connect(goal: Tuple[str, int], ports: Sequence[int], within_s: float) -> socket.socket:
    """A connection from one of these ports; it leaves no TIME_WAIT behind."""
    for from_port in random.sample(ports, len(ports)):
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            probe.settimeout(within_s)
            probe.bind(("", from_port))
        except OSError:
            probe.close()
            continue
        try:
            probe.connect(goal)
        except BaseException:
            probe.close()
            raise
        return probe
    raise OSError("all probe ports are in use")


def _outcome(error: OSError) -> str:
    if isinstance(error, socket.timeout):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    return "timeout"
