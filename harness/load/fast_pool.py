"""The connections of a fast worker: which are idle, and how one more is opened.

The one used last is taken first, so that the others can go quiet. Connecting is done by hand: in an
outage every arrival needs a new connection, and a refusal has to cost microseconds.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from harness.load.fast_connection import Connection, Owner

Address = tuple[Any, ...]

#: Names are looked up again so often: a replica may come back elsewhere.
_ADDRESSES_S = 1.0
_IN_PROGRESS = (0, errno.EINPROGRESS)


class Pool:
    """`most` bounds how many connections there are, opening ones included."""

    def __init__(self, url: str, owner: Owner, most: int) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._owner = owner
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._addresses: tuple[float, list[Address]] = (0.0, [])
        self.size = 0

    def take(self) -> Connection | None:
        """An idle connection, or a new one that has yet to be opened; None when all are busy."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
            self.size -= 1
        if self.size >= self._most:
            return None
        self.size += 1
        return Connection(self._owner)

    def give_back(self, connection: Connection) -> None:
        self._idle.append(connection)

    def lose(self) -> None:
        """One that was taken will not come back."""
        self.size -= 1

    def open(self, connection: Connection) -> None:
        """Connect; `failed` of the owner hears of it when that does not work."""
        connection.opening = self._loop.create_task(self._open(connection))

    async def prepare(self, count: int, within_s: float) -> None:
        """Open some before the load begins; what fails then fails again when it is due."""
        fresh = [Connection(self._owner) for _ in range(count)]
        tasks = [asyncio.ensure_future(self._connect(connection)) for connection in fresh]
        await asyncio.wait(tasks, timeout=within_s)
        for connection, task in zip(fresh, tasks, strict=True):
            task.cancel()
            if connection.transport is not None:
                self.size += 1
                self.give_back(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.abort()

    async def _open(self, connection: Connection) -> None:
        try:
            await self._connect(connection)
        except (OSError, ssl.SSLError) as error:
            self._owner.failed(connection, error)
        finally:
            connection.opening = None

    async def _connect(self, connection: Connection) -> None:
        """To the first address that answers, as any client would."""
        error: OSError = ConnectionRefusedError(errno.ECONNREFUSED, "no address")
        for family, address in await self._resolved():
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                await self._established(sock, address)
                await self._adopt(sock, connection)
            except OSError as raised:
                sock.close()
                error = raised
            except BaseException:
                sock.close()
                raise
            else:
                return
        raise error

    async def _established(self, sock: socket.socket, address: Address) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = sock.connect_ex(address)
        if number not in _IN_PROGRESS:
            raise OSError(number, os.strerror(number))
        if number:
            await self._writable(sock)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))

    async def _writable(self, sock: socket.socket) -> None:
        done = self._loop.create_future()
        self._loop.add_writer(sock, _finish, done)
        try:
            await done
        finally:
            self._loop.remove_writer(sock)

    async def _adopt(self, sock: socket.socket, connection: Connection) -> None:
        name = self._host if self._tls else None
        await self._loop.create_connection(
            lambda: connection, sock=sock, ssl=self._tls, server_hostname=name
        )

    async def _resolved(self) -> list[tuple[int, Address]]:
        """Addresses of the host; the last ones known while a look-up fails."""
        since, known = self._addresses
        if known and time.monotonic() - since < _ADDRESSES_S:
            return known
        found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        self._addresses = (time.monotonic(), [(f, a) for f, _, _, _, a in found])
        return self._addresses[1]


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
