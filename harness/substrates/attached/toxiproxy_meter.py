"""How many of the system's own connections met a toxic of a Toxiproxy: the kernel's sockets say so.

Whoever is connected to the proxy, and moved data since the toxic came, has met it; a toxic on the
end of connections, whoever's has ended. A connection that is made and over between two looks shows
while the kernel keeps its remains (TIME_WAIT), and one that was refused in a packet on its way,
where this process may listen for packets. So the count is a lower bound; it is nothing only where
nothing was there to see.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.mechanisms import sockets
from harness.mechanisms.packets import TCP, read

Peer = tuple[str, int]
#: What a connection meets a toxic by: data that moves, its end, or being cut or refused.
DATA, END, CUT = "data", "end", "cut"

_EVERY_S = 0.05
_IN_USE_S = 1.0  # a connection that moved data so lately was in use when it was cut
_ENDED = (4, 5, 6, 9, 11)  # states of a connection that is over: no data is told of them any more
_FRAME, _FLAGS, _SYN, _SYN_OR_ACK = 128, 13, 0x02, 0x12
_MOST = 10_000
_ETH_P_IP, _TO_US = 0x0800, 0


@dataclass
class _Count:
    """Of one toxic. `known` had ended before it came."""

    since: float
    by: str
    known: set[Peer]
    met: set[Peer] = field(default_factory=set)


class Meter:
    """Counts callers of `port` while there are toxics. `ours`: source ports of our own probes;
    `refuses`: whether the proxy takes no connections just now."""

    def __init__(self, port: int, ours: set[int], refuses: Callable[[], bool]) -> None:
        self._port, self._ours, self._refuses = port, ours, refuses
        self._counts: dict[str, _Count] = {}
        self._ended: dict[str, int] = {}
        self._turn = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def begin(self, id: str, by: str) -> None:
        """A toxic comes, to be met `by` one of the three; to be told before it is there."""
        with self._turn:
            now = list(self._seen())
            known = {peer for peer, _, over in now if over}
            count = _Count(time.monotonic(), by, known)
            if by == CUT:
                count.met.update(p for p, idle, over in now if idle < _IN_USE_S and not over)
            self._counts[id] = count

    def end(self, id: str) -> None:
        with self._turn:
            count = self._counts.pop(id, None)
            if count is not None:
                self._ended[id] = self._ended.get(id, 0) + len(count.met)

    def count(self, id: str) -> int:
        with self._turn:
            now = self._counts.get(id)
            return self._ended.get(id, 0) + (len(now.met) if now else 0)

    def close(self) -> None:
        self._over.set()
        self._thread.join(2.0)

    # ------------------------------------------------------------ helpers

    def _watch(self) -> None:
        with contextlib.ExitStack() as stack:
            ear: socket.socket | None = None
            with contextlib.suppress(OSError):  # not ours to hear: what is open has to do
                ear = stack.enter_context(_ear())
            while not self._over.wait(0 if ear else _EVERY_S):
                refused = set(self._heard(ear)) if ear else set()
                with self._turn, contextlib.suppress(OSError):
                    self._look(refused if self._refuses() else set())

    def _look(self, refused: set[Peer]) -> None:
        if not self._counts:
            return
        now, seen = time.monotonic(), list(self._seen())
        for count in self._counts.values():
            if count.by == CUT:
                count.met |= refused
                continue
            moved = now - count.since
            count.met.update(
                peer for peer, idle, over in seen
                if (over and peer not in count.known) or (idle < moved and count.by == DATA)
            )  # fmt: skip

    def _seen(self) -> Iterator[tuple[Peer, float, bool]]:
        """Each caller, how long it is idle, and whether its connection is over."""
        for c in sockets.connections(sockets.EVER, idle=True):
            over = c.state in _ENDED
            if c.remote_port == self._port and c.local_port not in self._ours:
                yield (c.local, c.local_port), c.idle_s, over
            elif c.local_port == self._port and c.remote_port not in self._ours:
                yield (c.remote, c.remote_port), c.idle_s, over

    def _heard(self, ear: socket.socket) -> Iterator[Peer]:
        """Who asked for a connection in the next moment."""
        select.select([ear], [], [], _EVERY_S)
        until = time.monotonic() + _EVERY_S
        for _ in range(_MOST):
            try:
                frame, (_, _, direction, _, _) = ear.recvfrom(_FRAME)
            except OSError:
                break
            packet = read(frame) if direction == _TO_US else None
            if packet and packet.protocol == TCP and packet.dport == self._port:
                first = frame[packet.at + _FLAGS] & _SYN_OR_ACK == _SYN
                if first and packet.sport not in self._ours:
                    yield socket.inet_ntoa(packet.source), packet.sport
        self._over.wait(max(0.0, until - time.monotonic()))


def _ear() -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
    found.setblocking(False)
    return found
