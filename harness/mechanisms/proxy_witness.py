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
from typing import Callable, List, Sequence, Tuple

from harness.agent.effects import PROBE_PORTS, Edge, EdgeSeen, Transfer
from harness.agent.protocol import Failed
from harness.mechanisms.namespaces import inside
from harness.mechanisms.probe_transfers import Line, Probe, Question, Speech

#: Short connections a second; shares and rhythms need more to be told.
_MORE, _MANY = 8, 20
_MOST = 24  # connections at a time
_EARLY, _SHORTEST_S = 0.8, 0.05  # the last of them are to be answered within the look, too


#: What a proxy of ours sends back to probes.
ECHOED = Speech(b"hxprobe\n" * 2, 16, echoed=True)


@dataclass(frozen=True)
class Look:
    """How to look: for `for_s` seconds, and at most `patience_s` for an answer. `long` is asked of
    one new connection and of the open one, `short` of the short ones. `calm`: nothing in force
    breaks connections, so that a broken one may be replaced. `many` short ones, or a few."""

    for_s: float
    patience_s: float
    calm: bool = True
    many: bool = False
    long: Question = Question()
    short: Question = Question(bytes=1)


class Witness:
    """The probes of one edge; one look at a time. `came_through`: whether the connection from that
    port of ours reached the proxy."""

    def __init__(self, line: Line, came_through: Callable[[int], bool]) -> None:
        self._line, self._came_through = line, came_through
        self._turn = threading.Lock()
        self._turns = itertools.count()
        self._retry = False
        self._old = self._open(0, 1.0)

    def changed(self) -> None:
        """The toxics have changed: an old connection that had ended before may be opened again."""
        self._retry = bool(self._old.over)

    def look(self, how: Look) -> EdgeSeen:
        with self._turn:
            self._renew(how.calm)
            begin = time.monotonic()
            with ThreadPoolExecutor(_MOST) as pool:
                asked = (how.long, how.for_s, how.patience_s)
                new = pool.submit(self._new, how.patience_s, lambda one: one.answers(*asked))
                kept = pool.submit(self._old.answers, *asked)
                more = self._spread(pool, how, begin)
                first, old = new.result(), kept.result()
                all_new = (first, *(one.result() for one in more))
            end = time.monotonic()
            self._renew(how.calm)  # one that was ended for this look
            return EdgeSeen(
                begin, end, first.outcome, first.round_trip + first.took,
                old.outcome, old.round_trip + old.took,
                tuple((one.outcome, one.round_trip + one.took) for one in all_new[1:]),
                all_new, old,
            )  # fmt: skip

    def close(self) -> None:
        self._old.close()

    def _renew(self, calm: bool) -> None:
        if not (self._retry or (calm and self._old.died())):
            return
        self._retry = False
        fresh = self._open(0, 1.0)
        if fresh.over in ("", "bypassed"):
            self._old.close()
            self._old = fresh

    def _spread(self, pool: ThreadPoolExecutor, how: Look, begun: float) -> List[Future[Transfer]]:
        """Short connections; no more of them once one was found to be bypassed."""
        pace = 1.0 / (_MANY if how.many else _MORE)
        until, answers_until = begun + _EARLY * how.for_s, begun + how.patience_s
        found: List[Future[Transfer]] = []

        def once(one: Probe) -> Transfer:
            left = max(_SHORTEST_S, answers_until - time.monotonic())
            return one.answers(how.short, left, left)

        while time.monotonic() + pace < until:
            if any(one.done() and one.result().outcome == "bypassed" for one in found):
                break
            found.append(pool.submit(self._new, answers_until - time.monotonic(), once))
            time.sleep(pace)
        return found

    def _new(self, patience_s: float, ask: Callable[[Probe], Transfer]) -> Transfer:
        """Each to the next address: a redirect that misses one of them shows."""
        with contextlib.closing(self._open(next(self._turns), patience_s)) as probe:
            return ask(probe)

    def _open(self, which: int, within_s: float) -> Probe:
        """A real server shall not get our bytes: a probe that does not come through is over."""
        probe = Probe(self._line, which, within_s)
        if not probe.over and not self._reached(probe.port):
            probe.over = "bypassed"
        return probe

    def _reached(self, port: int) -> bool:
        try:
            return self._came_through(port)
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
