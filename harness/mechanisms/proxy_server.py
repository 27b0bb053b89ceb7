"""The proxy as a process: in the caller's network namespace, between it and what it calls.

It listens on loopback, redirects the caller's connections to itself (the table dies with this
process), and moves their bytes with the toxics in force. Connections that were open before are
ended: they would escape. It is told what to do over a socket, a JSON line each, and ends with it.
Caveat: a caller sees its connection made before the dependency has been reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import socket
import struct
import sys
import time
from typing import Any, Coroutine, Dict, List, Sequence, Set, Tuple, cast

from harness.agent.effects import PROBE_PORTS, InForce, decode
from harness.mechanisms import sockets
from harness.mechanisms.namespaces import NEW_NET, die_with_parent, enter
from harness.mechanisms.nft import MARK, Redirect
from harness.mechanisms.proxy_link import Link, finish
from harness.mechanisms.toxics import DOWN, toxic_of
from harness.mechanisms.toxics.toxic import CLOSE, RESET

_LOOPBACK = "127.0.0.1"
_PORTS = range(
    15001, 16000
)  # below the ephemeral ones; an explicit port stays ours when we stop listening
_ORIGINAL_DESTINATION, _MARK_OPTION = 80, 36
_CONNECT_S = 10.0
_BACKLOG = 512
_DESCRIPTORS = 1 << 16
_SETTLE_S = 1.0
_IN_USE_S = 1.0  # a connection that moved data so lately was in use when it was cut
_REACH_S = 0.5


def main(argv: Sequence[str]) -> None:
    """NETNS TABLE PORT CONTROL-FD ADDRESS…; the first line back says {"port", "closed"}."""
    netns, table, port, control, *addresses = argv
    die_with_parent()
    enter(netns, NEW_NET)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, hard), hard))
    with socket.socket(fileno=int(control)) as told:
        asyncio.run(_serve(told, table, tuple(addresses), int(port)))


async def _serve(control: socket.socket, table: str, addresses: Tuple[str, ...], port: int) -> None:
    reader, writer = await asyncio.open_connection(sock=control)

    def say(**answer: Any) -> None:
        writer.write(json.dumps(answer).encode() + b"\n")

    try:
        server = Server(table, addresses, port)
    except OSError as error:
        say(error=str(error))
        await writer.drain()
        return
    say(port=server.port, closed=server.closed)
    while line := await reader.readline():
        try:
            say(**await server.answer(json.loads(line)))
        except (ValueError, OSError) as error:
            say(error=str(error))
    await server.close()


class Server:
    """Accepts, connects on, and keeps the toxics in force and the count of who met them."""

    def __init__(self, table: str, addresses: Tuple[str, ...], port: int) -> None:
        self._goals = {(address, port) for address in addresses}
        self._redirect = Redirect(table)
        self._listener, self.port = _listener()
        self._redirect.begin(addresses, port, self.port)
        self.closed = _close_open_ones(self._goals, self.port)
        self._links: Dict[Link, asyncio.Task[None]] = {}
        self._tasks: Set[asyncio.Task[None]] = set()
        self._number = 0
        self._probes: Set[int] = set()
        self._in_force: Dict[str, InForce] = {}
        self._met: Dict[str, Set[int]] = {}
        self._refused: Dict[str, int] = {}
        self._down_since: Dict[str, int] = {}
        self._accepting = asyncio.ensure_future(self._accept())

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
        kinds = {effect.id: toxic_of(effect).kind for effect in effects}  # refuse before doing
        for id in [id for id in self._in_force if id not in kinds]:
            self._take(id)
        for effect in effects:
            if effect.id not in self._in_force:
                self._in_force[effect.id] = effect
                self._met.setdefault(effect.id, set())
                if kinds[effect.id] == DOWN:
                    self._go_down(effect.id)
                for link in self._links:
                    self._put(link, effect)

    def _put(self, link: Link, effect: InForce) -> None:
        if toxic_of(effect).kind != DOWN:
            link.put(effect)

    def _take(self, id: str) -> None:
        del self._in_force[id]
        if id in self._down_since:
            self._refused[id] = self._count_refused(id)
            del self._down_since[id]
            if not self._down_since:
                self._listener.listen(_BACKLOG)
                self._accepting = asyncio.ensure_future(self._accept())
        for link in self._links:
            link.take(id)

    def _go_down(self, id: str) -> None:
        """Nothing listens: the kernel refuses newcomers; those that are open are closed. A
        shutdown of a listening socket ends the listening but keeps its port ours."""
        if not self._down_since:
            self._accepting.cancel()
            self._listener.shutdown(socket.SHUT_RDWR)
        self._down_since[id] = self._redirect.attempts()
        now = time.monotonic()
        for link in self._links:
            if not link.ours and now - link.moved_at < _IN_USE_S:
                self._met[id].add(link.number)
            link.end(CLOSE)

    def _count(self, id: str) -> int:
        """Connections of the application that met the toxic."""
        return len(self._met[id]) + self._count_refused(id)

    def _count_refused(self, id: str) -> int:
        before = self._refused.get(id, 0)
        if id not in self._down_since:
            return before
        return before + self._redirect.attempts() - self._down_since[id]

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

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, peer = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(0.05)  # out of descriptors, or it was gone again
                continue
            self._start(self._carry(client, peer[1]))

    def _start(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: socket.socket, from_port: int) -> None:
        ours = from_port in PROBE_PORTS
        try:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = self._echo() if ours else await self._connect(client)
        except (OSError, asyncio.TimeoutError):  # noqa: UP041  not the same before 3.11
            finish(RESET, client)
            return
        self._number += 1
        link = Link(self._number, client, server, ours, lambda toxic, n: self._met[toxic].add(n))
        for effect in self._in_force.values():
            self._put(link, effect)
        self._links[link] = cast("asyncio.Task[None]", asyncio.current_task())
        if ours:
            self._probes.add(from_port)
        if self._down_since:
            link.end(CLOSE)  # it was accepted just before
        try:
            await link.run()
        finally:
            del self._links[link]
            self._probes.discard(from_port)

    async def _connect(self, client: socket.socket) -> socket.socket:
        """To where the client wanted to go, past our own redirect."""
        packed = client.getsockopt(socket.SOL_IP, _ORIGINAL_DESTINATION, 16)
        port, address = struct.unpack("!2xH4s8x", packed)
        goal = (socket.inet_ntoa(address), port)
        if goal not in self._goals:
            raise OSError(f"{goal} is not ours to reach")
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            server.setblocking(False)
            server.setsockopt(socket.SOL_SOCKET, _MARK_OPTION, MARK)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_connect(server, goal), _CONNECT_S)
        except BaseException:
            server.close()
            raise
        return server

    def _echo(self) -> socket.socket:
        """What our probes reach in place of the dependency: their own bytes come back."""
        here, there = socket.socketpair()
        here.setblocking(False)
        there.setblocking(False)
        self._start(_echo_all(there))
        return here

    async def close(self) -> None:
        """End every connection in order, then the redirect."""
        self._accepting.cancel()
        for link in self._links:
            link.end(CLOSE)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SETTLE_S)
        self._redirect.close()
        self._listener.close()


async def _echo_all(there: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with there, contextlib.suppress(OSError):
        while data := await loop.sock_recv(there, 1 << 16):
            await loop.sock_sendall(there, data)


def _listener() -> Tuple[socket.socket, int]:
    for port in random.Random(os.getpid()).sample(_PORTS, 100):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Listening again needs it, while connections that were accepted before are still ending.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_LOOPBACK, port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            continue
        listener.setblocking(False)
        return listener, port
    raise OSError(f"no free port of {_PORTS.start} to {_PORTS.stop - 1}")


def _close_open_ones(goals: Set[Tuple[str, int]], port: int) -> int:
    """End the connections to these goals that do not come through us; says how many.

    The redirect is in place and nothing was accepted yet: a newcomer's other end is in our queue.
    """
    theirs = [c for c in sockets.connections() if (c.remote, c.remote_port) in goals]
    redirected = {(c.remote, c.remote_port) for c in sockets.connections() if c.local_port == port}
    escaped = [c for c in theirs if (c.local, c.local_port) not in redirected]
    return sum(sockets.destroy(connection) for connection in escaped)


if __name__ == "__main__":
    main(sys.argv[1:])
