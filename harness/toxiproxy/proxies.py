"""Proxies: each listens, connects on, and carries what comes through its toxics."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Callable
from typing import Any, cast

from harness.mechanisms.proxy_link import Link, finish
from harness.mechanisms.toxics.toxic import CLOSE
from harness.toxiproxy import addresses
from harness.toxiproxy.addresses import Address
from harness.toxiproxy.errors import ApiError, no_listener
from harness.toxiproxy.records import Connection, Records
from harness.toxiproxy.toxics import Toxics

_ACCEPTS = 64  # before others have their turn
_PAUSE_S = 0.05  # out of descriptors
#: As Go sets them: small writes go at once, and a peer that is gone without a word is noticed.
_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 9),
)

Labels = tuple[str, str, str]  # name, listen, upstream when it began
Ended = Callable[[Labels, Link], None]


class Proxy:
    """`listen` is as it was asked for until it has been listened to, then the real address. `more`
    are further addresses that lead to the same upstream."""

    def __init__(
        self, name: str, listen: str, upstream: str, ended: Ended, chance: random.Random,
        more: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.name, self.listen, self.upstream, self.more = name, listen, upstream, more
        self.enabled = False
        self.records = Records()
        self._links: dict[int, Link] = {}
        self.toxics = Toxics(self._links, chance)
        self._ended = ended
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialing: set[asyncio.Task[None]] = set()

    def shown(self) -> dict[str, Any]:
        """As Toxiproxy shows it, its logger included."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "Logger": {},
            "toxics": [toxic.shown() for toxic in self.toxics.all()],
        }

    async def start(self) -> None:
        """Raises `ApiError` (500) where it cannot listen; nothing then listens."""
        if self.enabled:
            return
        try:
            listens = [await self._bind(listen) for listen in (self.listen, *self.more)]
        except ApiError:
            self._close_listeners()
            raise
        self.listen, self.more = listens[0], tuple(listens[1:])
        self.enabled = True
        for listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    async def _bind(self, listen: str) -> str:
        found = (await addresses.resolved(*addresses.split(listen)))[0]
        try:
            self._listeners.append(addresses.bound(found))
        except OSError as error:
            where = addresses.printed(found)
            raise ApiError(f"listen tcp {where}: bind: {error.strerror or error}", 500) from None
        return addresses.printed(self._listeners[-1].getsockname())

    async def listen_too(self, listen: str) -> None:
        """One address more that leads to the same upstream. Raises `ApiError` (500)."""
        if self.enabled:
            listen = await self._bind(listen)
            listener = self._listeners[-1]
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        self.more = (*self.more, listen)

    def listen_less(self, listen: str) -> None:
        """Not at that address any more; what came by it goes on. Raises `ApiError` (404)."""
        if listen not in self.more:
            raise no_listener()
        at = self.more.index(listen)
        if self.enabled:
            listener = self._listeners.pop(1 + at)
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        self.more = (*self.more[:at], *self.more[at + 1 :])

    def stop(self) -> None:
        """Nobody is accepted any more, and every connection is closed at once."""
        self.enabled = False
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
        self._close_listeners()
        for task in self._dialing:
            task.cancel()
        for link in self._links.values():
            link.end(CLOSE)

    def _close_listeners(self) -> None:
        while self._listeners:
            self._listeners.pop().close()

    async def settled(self) -> None:
        """Until what had to end has ended: a client that asks then sees it so."""
        tasks = [task for task in self._tasks if not task.done()]
        if tasks and not self.enabled:
            await asyncio.wait(tasks, timeout=1.0)

    async def update(self, listen: str, upstream: str, enabled: bool) -> None:
        """It listens anew where either address differs. Raises `ApiError` (500)."""
        if await self.differs(listen, upstream):
            self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled and not self.enabled:
            await self.settled()
            await self.start()
        elif not enabled:
            self.stop()
        await self.settled()

    async def differs(self, listen: str, upstream: str) -> bool:
        """Raises `ApiError` (500) for an address that cannot be resolved."""
        asked = (await addresses.resolved(*addresses.split(listen)))[0]
        return addresses.printed(asked) != self.listen or upstream != self.upstream

    # ------------------------------------------------------------ connections

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                client, peer = listener.accept()
            except BlockingIOError:
                return
            except OSError:
                self._pause(listener)
                return
            task = asyncio.ensure_future(self._carry(client, addresses.printed(peer)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _pause(self, listener: socket.socket) -> None:
        """Out of descriptors: the listener stays ready, and asking again at once is no use."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)

        def again() -> None:
            if listener in self._listeners:
                loop.add_reader(listener, self._accept, listener)

        loop.call_later(_PAUSE_S, again)

    async def _carry(self, client: socket.socket, peer: str) -> None:
        record = self.records.begin(peer)
        me = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            _prepare(client)
            self._dialing.add(me)
            server, record.upstream = await self._connect()
        except BaseException as error:
            stopped = isinstance(error, asyncio.CancelledError)
            self.records.end(record, "stopped" if stopped else "unreachable")
            finish(CLOSE, client)
            if isinstance(error, (OSError, ApiError)):
                return
            raise
        finally:
            self._dialing.discard(me)
        await self._run(record, client, server)

    async def _run(self, record: Connection, client: socket.socket, server: socket.socket) -> None:
        link = Link(record.id, client, server, lambda name: self._met(record, name), exact=True)
        record.moved = link.moved
        labels = (self.name, self.listen, self.upstream)
        self._links[record.id] = link
        self.toxics.begin(link)
        try:
            how = await link.run()
        finally:
            del self._links[record.id]
        self.records.end(record, how)
        self._ended(labels, link)

    def _met(self, record: Connection, name: str) -> None:
        if name not in record.met:
            record.met[name] = time.time()
            with contextlib.suppress(ApiError):
                self.toxics.get(name).met += 1

    async def _connect(self) -> tuple[socket.socket, str]:
        """To what the upstream's name means now. Raises OSError, `ApiError`."""
        failed: OSError = OSError("no address")
        for goal in await addresses.resolved(*addresses.split(self.upstream)):
            try:
                return await _connected(goal), addresses.printed(goal)
            except OSError as error:
                failed = error
        raise failed


def _prepare(one: socket.socket) -> None:
    one.setblocking(False)
    for option in _OPTIONS:
        one.setsockopt(*option)


async def _connected(goal: Address) -> socket.socket:
    host = goal[0] or "127.0.0.1"
    server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        _prepare(server)
        await asyncio.get_running_loop().sock_connect(server, (host, goal[1]))
    except BaseException:
        server.close()
        raise
    return server
