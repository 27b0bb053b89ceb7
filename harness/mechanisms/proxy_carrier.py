"""What every proxy of ours does: accepts, connects on, and moves bytes with the toxics in force.

How connections come to its listeners, and where they go, is its subclass's business: by a redirect
(`proxy_server`), or because callers were told its address (`proxy_listening`). Caveat: a caller
sees its connection made before the dependency has been reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from typing import (
    Any,
    ClassVar,
    Coroutine,
    Dict,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
    cast,
)

from harness.agent.effects import PROBE_PORTS, InForce, decode
from harness.mechanisms.proxy_link import Link, finish, put
from harness.mechanisms.toxics import DOWN, rhythm_of, toxic_of
from harness.mechanisms.toxics.toxic import CLOSE, RESET

BACKLOG = 512
_DESCRIPTORS = 1 << 16
_MARK_OPTION = 36
_CONNECT_S = 10.0
_SETTLE_S = 1.0
_IN_USE_S = 1.0  # a connection that moved data so lately was in use when it was cut
_REACH_S = 0.5
_FOLLOW_S = 0.01


def many_descriptors() -> None:
    """Two for each connection: as many as we may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, hard), hard))


class Carrier:
    """Keeps the toxics in force and the count of who met them; listens to bound sockets."""

    #: What comes from these ports is a probe of ours, and answered by an echo.
    probes: ClassVar[range] = PROBE_PORTS

    def __init__(self, listeners: Sequence[socket.socket]) -> None:
        self._listeners = listeners
        self._links: Dict[Link, asyncio.Task[None]] = {}
        self._tasks: Set[asyncio.Task[None]] = set()
        self._number = 0
        self._probes: Set[int] = set()
        self._ours: Set[Link] = set()
        self._in_force: Dict[str, InForce] = {}
        self._met: Dict[str, Set[int]] = {}
        self._refused: Dict[str, int] = {}
        self._down_since: Dict[str, int] = {}
        self._accepting: List[asyncio.Future[None]] = []
        self._next: Optional[asyncio.TimerHandle] = None
        self._listen()

    # ------------------------------------------------------------ what a subclass knows

    def greeting(self) -> Dict[str, Any]:
        """Its first words."""
        return {}

    def attempts(self) -> int:
        """How many connections of the application were begun so far, refused ones too; 0 where
        nobody can know."""
        return 0

    async def connect(self, client: socket.socket, listener: socket.socket) -> socket.socket:
        """To where the client wanted to go. Raises OSError, TimeoutError."""
        raise NotImplementedError

    # ------------------------------------------------------------ what it is told

    async def answer(self, request: Dict[str, Any]) -> Dict[str, Any]:
        if "toxics" in request:
            self._make([decode(item) for item in request["toxics"]])
            await self._settle()
        elif "reached" in request:
            return {"reached": await self._reached(int(request["reached"]))}
        return {"counts": {id: self._count(id) for id in self._met}}

    def _make(self, effects: List[InForce]) -> None:
        """These toxics, in this order, and no others."""
        wanted = {effect.id: toxic_of(effect) for effect in effects}  # refuse before doing
        for id in [id for id in self._in_force if id not in wanted]:
            self._take(id)
        for effect in effects:
            if effect.id not in self._in_force:
                self._in_force[effect.id] = effect
                self._met.setdefault(effect.id, set())
                for link in self._links:
                    self._put(link, effect)
        self._follow()

    def _put(self, link: Link, effect: InForce) -> None:
        if toxic_of(effect).kind != DOWN:
            put(link, effect)

    def _take(self, id: str) -> None:
        del self._in_force[id]
        if id in self._down_since:
            self._come_up(id)
        for link in self._links:
            link.take(id)

    def _follow(self) -> None:
        """Down or not, as it is to be now; looked at again while that changes with time."""
        self._stop_following()
        rhythms = {e.id: rhythm_of(e) for e in self._in_force.values()}
        for id, rhythm in rhythms.items():
            down = rhythm is not None and rhythm.at(time.monotonic() - self._in_force[id].since) > 0
            if down and id not in self._down_since:
                self._go_down(id)
            elif not down and id in self._down_since:
                self._come_up(id)
        if any(rhythm is not None and not rhythm.is_constant for rhythm in rhythms.values()):
            self._next = asyncio.get_running_loop().call_later(_FOLLOW_S, self._follow)

    def _stop_following(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _come_up(self, id: str) -> None:
        self._refused[id] = self._count_refused(id)
        del self._down_since[id]
        if not self._down_since:
            self._listen()

    def _go_down(self, id: str) -> None:
        """Nothing listens: the kernel refuses newcomers; those that are open are closed. A
        shutdown of a listening socket ends the listening but keeps its port ours."""
        if not self._down_since:
            self._stop_accepting()
            for listener in self._listeners:
                listener.shutdown(socket.SHUT_RDWR)
        self._down_since[id] = self.attempts()
        now = time.monotonic()
        for link in self._links:
            if link not in self._ours and now - link.moved_at < _IN_USE_S:
                self._met[id].add(link.number)
            link.end(CLOSE)

    def _count(self, id: str) -> int:
        """Connections of the application that met the toxic."""
        return len(self._met[id]) + self._count_refused(id)

    def _count_refused(self, id: str) -> int:
        before = self._refused.get(id, 0)
        if id not in self._down_since:
            return before
        return before + self.attempts() - self._down_since[id]

    async def _settle(self) -> None:
        """Until the connections that had to end are closed: then what was asked for is true."""
        ending = {task for link, task in self._links.items() if link.ended}
        if ending:
            await asyncio.wait(ending, timeout=_SETTLE_S)

    async def _reached(self, port: int) -> bool:
        """Whether a probe from that port came here; it may be on its way."""
        until = time.monotonic() + _REACH_S
        while port not in self._probes and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return port in self._probes

    # ------------------------------------------------------------ connections

    def _listen(self) -> None:
        for listener in self._listeners:
            listener.listen(BACKLOG)
            self._accepting.append(asyncio.ensure_future(self._accept(listener)))

    def _stop_accepting(self) -> None:
        while self._accepting:
            self._accepting.pop().cancel()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, peer = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(0.05)  # out of descriptors, or it was gone again
                continue
            self._start(self._carry(client, listener, peer[1]))

    def _start(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: socket.socket, listener: socket.socket, from_port: int) -> None:
        ours = from_port in self.probes
        try:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = self._echo() if ours else await self.connect(client, listener)
        except (OSError, asyncio.TimeoutError):  # noqa: UP041  not the same before 3.11
            finish(RESET, client)
            return
        self._number += 1
        link = self._link(self._number, client, server, ours)
        for effect in self._in_force.values():
            self._put(link, effect)
        self._links[link] = cast("asyncio.Task[None]", asyncio.current_task())
        if ours:
            self._probes.add(from_port)
            self._ours.add(link)
        if self._down_since:
            link.end(CLOSE)  # it was accepted just before
        try:
            await link.run()
        finally:
            del self._links[link]
            self._ours.discard(link)
            self._probes.discard(from_port)

    def _link(self, n: int, client: socket.socket, server: socket.socket, ours: bool) -> Link:
        def met(toxic: str) -> None:
            if not ours:
                self._met[toxic].add(n)

        return Link(n, client, server, met)

    def _echo(self) -> socket.socket:
        """What our probes reach in place of the dependency: their own bytes come back."""
        here, there = socket.socketpair()
        here.setblocking(False)
        there.setblocking(False)
        self._start(_echo_all(there))
        return here

    async def close(self) -> None:
        """End every connection in order."""
        self._stop_following()
        self._stop_accepting()
        for link in self._links:
            link.end(CLOSE)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SETTLE_S)


async def _echo_all(there: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with there, contextlib.suppress(OSError):
        while data := await loop.sock_recv(there, 1 << 16):
            await loop.sock_sendall(there, data)


async def connected(goal: Tuple[str, int], mark: int = 0) -> socket.socket:
    """A connection to address and port, perhaps with a mark that a redirect of ours leaves alone.
    Raises OSError, TimeoutError."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        server.setblocking(False)
        if mark:
            server.setsockopt(socket.SOL_SOCKET, _MARK_OPTION, mark)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(server, goal), _CONNECT_S)
    except BaseException:
        server.close()
        raise
    return server
