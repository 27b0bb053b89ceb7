"""One connection through the proxy: two streams of bytes, each through its toxics, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from functools import partial
from typing import Callable, Dict

from harness.agent.effects import Curve, InForce
from harness.mechanisms.proxy_chain import Chain
from harness.mechanisms.proxy_stream import Stream
from harness.mechanisms.toxics import stage, toxic_of
from harness.mechanisms.toxics.toxic import CLOSE, FINISHED, RESET, Stage

_RESETS = struct.pack("ii", 1, 0)  # for SO_LINGER


class Link:
    """Both streams between a client and what it called.

    One side that has finished may still hear the other; a reset is passed on as a reset. `exact`
    ends as Toxiproxy does: the end of one way closes its receiver, whatever it still wanted to say.
    """

    def __init__(
        self, number: int, client: socket.socket, server: socket.socket,
        met: Callable[[str], None], exact: bool = False,
    ) -> None:  # fmt: skip
        self.number = number
        self._sockets = (client, server)
        self._exact = exact
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._flowing = {"upstream": server, "downstream": client}
        self.streams = {
            way: Stream(source, sink, Chain(met, exact), partial(self._ended, way))
            for way, source, sink in (("upstream", client, server), ("downstream", server, client))
        }

    @property
    def moved_at(self) -> float:
        """When data last came from either side; never: minus infinity."""
        return max(stream.moved_at for stream in self.streams.values())

    @property
    def ended(self) -> bool:
        return self._over.done()

    def put(self, way: str, new: Stage, applies: Callable[[], bool] = lambda: True) -> None:
        """A toxic comes into force; `applies` is asked each time that it begins."""
        self.streams[way].put(new, applies)

    def change(self, id: str, numbers: Dict[str, Curve]) -> None:
        for stream in self.streams.values():
            stream.change(id, numbers)

    def moved(self) -> tuple[int, int]:
        """Bytes sent on to the server, and to the client."""
        return self.streams["upstream"].sent, self.streams["downstream"].sent

    def reset_at_end(self) -> None:
        """However it ends, both sides see a reset."""
        for one in self._sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)

    def take(self, id: str) -> None:
        """A toxic goes."""
        for stream in self.streams.values():
            stream.take(id)

    def end(self, how: str) -> None:
        if not self._over.done():
            self._over.set_result(how)

    async def run(self) -> str:
        """Move bytes until both ways have ended, or one way or other it is over; says how."""
        how = RESET
        try:
            for stream in self.streams.values():
                stream.begin()
            how = await self._over
        finally:
            for stream in self.streams.values():
                stream.stop()
            finish(how, *self._sockets)
        return how

    def _ended(self, way: str, how: str) -> None:
        """All of one way has been sent."""
        sink = self._flowing.pop(way)
        if self._exact:
            self._close_receiver(sink)
        elif how != FINISHED:
            self.end(how)
        else:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
        if not self._flowing:
            self.end(CLOSE)

    def _close_receiver(self, sink: socket.socket) -> None:
        """Nothing more can be read from it either: the other way ends with what it has."""
        for other in tuple(self._flowing):
            self.streams[other].end(RESET)
        sink.close()


def put(link: Link, effect: InForce) -> None:
    """A fault's toxic comes into force; whether on this connection too, its share decides."""
    chance = random.Random(f"{effect.draws}/{link.number}")
    toxic = toxic_of(effect)
    if chance.random() < toxic.share:
        link.put(toxic.stream, stage(effect, time.monotonic(), chance.random()))


def finish(how: str, *sockets: socket.socket) -> None:
    """Close them; `RESET` throws away what was not sent and tells the other side so."""
    for one in sockets:
        with contextlib.suppress(OSError):
            if how == RESET:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
        one.close()
