"""One connection through the proxy: two streams that move bytes, each through its toxics.

A stream reads ahead into a queue and sends from its head, so order never changes. What is due when
is worked out for the head alone and again whenever the toxics change: a toxic acts on data that is
already waiting, and none is lost or sent twice when a delay comes or goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import socket
import struct
import time
from collections import deque
from typing import Callable, Deque, List, Tuple

from harness.agent.effects import InForce
from harness.mechanisms.toxics import stage, toxic_of
from harness.mechanisms.toxics.toxic import CLOSE, RESET, Piece, Stage

_CHUNK = 1 << 16
_AHEAD = 8 << 20  # bytes held for one stream: more than a second of 50 Mbit/s


class Ended(Exception):
    """The connection is over; `how` is close or reset."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Stream:
    """Bytes one way, from `source` to `sink`; `met` hears which toxic some data has met."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, seed: str, met: Callable[[str], None]
    ) -> None:
        self.moved_at = -math.inf
        self._source, self._sink, self._met = source, sink, met
        self._queue: Deque[Piece] = deque()
        self._held = 0
        self._stages: List[Stage] = []
        self._came, self._changed, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._draw = random.Random(seed).uniform

    def put(self, new: Stage) -> None:
        self._stages.append(new)
        self._change()

    def take(self, id: str) -> str:
        """Remove a toxic; says how the connection has to end with it, if it has to."""
        gone = [old for old in self._stages if old.id == id]
        self._stages = [old for old in self._stages if old.id != id]
        self._change()
        return "".join(old.removed() for old in gone)

    def _change(self) -> None:
        self._came.set()
        self._changed.set()

    async def read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data = await loop.sock_recv(self._source, _CHUNK)
            self.moved_at = time.monotonic()
            self._queue.append(Piece(data, self.moved_at, self._draw(-1, 1)))
            self._held += len(data)
            self._came.set()
            if not data:
                return
            while self._held > _AHEAD:
                self._room.clear()
                await self._room.wait()

    async def write(self) -> None:
        """Send what is due, until the sender's end has gone through too. Raises `Ended`."""
        while not await self._forward(await self._head()):
            gone = self._queue.popleft()
            self._held -= len(gone.data)
            self._room.set()

    async def _head(self) -> Piece:
        while not self._queue:
            self._came.clear()
            if not await self._told(self._came, self._ends_at()):
                raise Ended(CLOSE)
        return self._queue[0]

    async def _forward(self, head: Piece) -> bool:
        """Send one piece as its toxics want it; true when it was the sender's end."""
        rest = head.data
        while True:
            self._changed.clear()
            pieces = self._treated(Piece(rest, head.due, head.chance))
            for piece in pieces:
                if not await self._is_due(piece.due):
                    break  # the toxics changed: work out anew what has not been sent
                await self._pass(piece)
                rest = rest[len(piece.data) :]
            else:
                if not (head.data or pieces):
                    await self._keep_silent()
                return not head.data

    async def _keep_silent(self) -> None:
        """The sender has finished, and its toxics keep that from the other side."""
        while (until := self._ends_at()) < math.inf:
            self._changed.clear()
            if not await self._told(self._changed, until):
                raise Ended(CLOSE)

    def _treated(self, piece: Piece) -> Tuple[Piece, ...]:
        pieces: Tuple[Piece, ...] = (piece,)
        for one in self._stages:
            if any(p.data for p in pieces):
                self._met(one.id)
            pieces = tuple(after for before in pieces for after in one.treat(before))
        return pieces

    async def _is_due(self, due: float) -> bool:
        """Wait for the time; false when the toxics changed first."""
        if due <= time.monotonic():
            return True
        ends = self._ends_at()
        if await self._told(self._changed, min(due, ends)):
            return False
        if ends < due:
            raise Ended(CLOSE)
        return True

    async def _pass(self, piece: Piece) -> None:
        if piece.ends:
            raise Ended(piece.ends)
        if piece.data:
            await asyncio.get_running_loop().sock_sendall(self._sink, piece.data)
        else:
            self._sink.shutdown(socket.SHUT_WR)

    def _ends_at(self) -> float:
        return min((one.ends_at() for one in self._stages), default=math.inf)

    async def _told(self, event: asyncio.Event, until: float) -> bool:
        """Wait for the event; false when that time (monotonic seconds) came first."""
        if until == math.inf:
            return await event.wait()
        try:
            return await asyncio.wait_for(event.wait(), max(0.0, until - time.monotonic()))
        except asyncio.TimeoutError:  # noqa: UP041  not the same before Python 3.11
            return False


class Link:
    """Both streams between a client and what it called. `ours`: it is a probe of ours."""

    def __init__(
        self, number: int, client: socket.socket, server: socket.socket,
        ours: bool, met: Callable[[str, int], None],
    ) -> None:  # fmt: skip
        self.number, self.ours = number, ours
        self._sockets = (client, server)
        self._moving = 0
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def heard(id: str) -> None:
            if not ours:
                met(id, number)

        self._streams = {
            "upstream": Stream(client, server, f"up {number}", heard),
            "downstream": Stream(server, client, f"down {number}", heard),
        }

    @property
    def moved_at(self) -> float:
        """When data last came from either side; never: minus infinity."""
        return max(stream.moved_at for stream in self._streams.values())

    @property
    def ended(self) -> bool:
        return self._over.done()

    def put(self, effect: InForce) -> None:
        """A toxic comes into force; whether on this connection too, its share decides."""
        toxic = toxic_of(effect)
        if random.Random(f"{effect.id}/{self.number}").random() < toxic.share:
            self._streams[toxic.stream].put(stage(effect, time.monotonic()))

    def take(self, id: str) -> None:
        """A toxic goes."""
        how = "".join(stream.take(id) for stream in self._streams.values())
        if how:
            self.end(CLOSE if how == CLOSE else RESET)

    def end(self, how: str) -> None:
        if not self._over.done():
            self._over.set_result(how)

    async def run(self) -> None:
        """Move bytes until both sides have finished, or one way or other it is over."""
        how, streams = RESET, self._streams.values()
        tasks = [asyncio.ensure_future(go()) for s in streams for go in (s.read, s.write)]
        self._moving = len(tasks)
        for task in tasks:
            task.add_done_callback(self._one_done)
        try:
            how = await self._over
        finally:
            for task in tasks:  # a reader left behind would read from whoever gets its descriptor
                task.cancel()
            await asyncio.wait(tasks)
            finish(how, *self._sockets)

    def _one_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        self._moving -= 1
        error = task.exception()
        if error is not None:
            self.end(error.how if isinstance(error, Ended) else RESET)
        elif self._moving == 0:
            self.end(CLOSE)


def finish(how: str, *sockets: socket.socket) -> None:
    """Close them; `RESET` throws away what was not sent and tells the other side so."""
    for one in sockets:
        with contextlib.suppress(OSError):
            if how == RESET:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
