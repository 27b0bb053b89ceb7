"""One way of one connection: bytes from a socket, through its chain of toxics, into another.

Callbacks of the event loop, no tasks: without toxics what was read is sent at once. Reading stops
while nobody behind has room, so a slow receiver slows the sender down.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from typing import Callable, Dict, Optional

from harness.agent.effects import Curve
from harness.mechanisms.alarms import Alarm, alarms
from harness.mechanisms.proxy_chain import Chain
from harness.mechanisms.toxics.toxic import FINISHED, RESET, Piece, Stage

#: Bytes read at a time: as Toxiproxy, since toxics treat one read as one piece; and without toxics.
_PIECE, _PLAIN = 1 << 15, 1 << 18
_READS = 8  # before others have their turn


class Stream:
    """`over` hears how it ended: the sender has finished, a toxic closed it, or it broke."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, chain: Chain, over: Callable[[str], None]
    ) -> None:
        self.moved_at = -math.inf
        self.received = self.sent = 0
        self._source, self._sink, self._chain, self._over = source, sink, chain, over
        self._loop = asyncio.get_running_loop()
        self._rest = memoryview(b"")
        self._reading = self._writing = self._stopped = False
        self._timer: Optional[Alarm] = None
        self._timer_at = math.inf

    def begin(self) -> None:
        self._move()

    def stop(self) -> None:
        """Nothing moves any more; its sockets may be closed."""
        self._stopped = True
        self._read(False)
        self._write(False)
        if self._timer:
            self._timer.cancel()

    def put(self, stage: Stage, applies: Callable[[], bool]) -> None:
        self._chain.put(stage, applies, time.monotonic())
        self._move()

    def change(self, id: str, numbers: Dict[str, Curve]) -> None:
        self._chain.change(id, numbers, time.monotonic())
        self._move()

    def take(self, id: str) -> None:
        self._chain.take(id, time.monotonic())
        self._move()

    def end(self, how: str) -> None:
        """No more comes from the sender; what is on its way goes on."""
        self._read(False)
        self._chain.first.ended = self._chain.first.ended or how
        self._move()

    # ------------------------------------------------------------ in

    def _readable(self) -> None:
        for _ in range(_READS):
            most = _PLAIN if self._chain.idle else _PIECE
            try:
                data = self._source.recv(most)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.end(RESET)
                return
            if not data:
                self.end(FINISHED)
                return
            self._take_in(data)
            if len(data) < most or not self._reading:
                return

    def _take_in(self, data: bytes) -> None:
        self.moved_at = time.monotonic()
        self.received += len(data)
        if self._chain.idle and not self._rest:
            self._send(memoryview(data))
            if self._rest:
                self._read(False)
        else:
            self._chain.first.pieces.append(Piece(data, self.moved_at))
            self._move()

    # ------------------------------------------------------------ through

    def _move(self) -> None:
        if self._stopped:
            return
        wake = self._chain.move(time.monotonic())
        while self._flush():
            wake = self._chain.move(time.monotonic())
        if self._stopped:
            return
        if self._chain.last.over and not self._rest:
            self.stop()
            self._over(self._chain.last.over)
            return
        first = self._chain.first
        self._read(not (first.full or first.ended or (self._rest and self._chain.idle)))
        self._wake(wake)

    def _wake(self, at: float) -> None:
        if at == self._timer_at:
            return
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._timer_at = at
        if at < math.inf:
            self._timer = alarms().at(at, self._woken)

    def _woken(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._move()

    # ------------------------------------------------------------ out

    def _flush(self) -> bool:
        """Send what may go out; whether there was any."""
        pieces = self._chain.last.pieces
        flushed = False
        while pieces and not self._rest and not self._stopped:
            self._send(memoryview(pieces.popleft().data))
            flushed = True
        return flushed

    def _send(self, data: memoryview) -> None:
        try:
            sent = self._sink.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.stop()
            self._over(RESET)
            return
        self.sent += sent
        self._rest = data[sent:]
        if self._rest:
            self._write(True)

    def _writable(self) -> None:
        self._send(self._rest)
        if not self._rest:
            self._write(False)
            self._move()

    # ------------------------------------------------------------ what the loop watches

    def _read(self, wanted: bool) -> None:
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._loop.add_reader(self._source, self._readable)
            else:
                self._loop.remove_reader(self._source)

    def _write(self, wanted: bool) -> None:
        if wanted != self._writing:
            self._writing = wanted
            if wanted:
                self._loop.add_writer(self._sink, self._writable)
            else:
                self._loop.remove_writer(self._sink)
