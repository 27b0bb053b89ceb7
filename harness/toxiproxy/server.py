"""HTTP/1.1 around the API: parsing by llhttp, limits on time and size, Go's answers to bad input.

A request has to be there within 15 s of its first byte, a connection may be idle for 60 s, and an
answer has to be taken within 30 s. At most `_MOST` clients are connected; with more, the one that
has been silent longest goes, so that clients that never finish do not keep others out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from harness.toxiproxy.answers import TEXT, Answer, Request, as_bytes, of_http
from harness.toxiproxy.heads import readable, target, wrong_with

_READ_S, _WRITE_S, _IDLE_S = 15.0, 30.0, 60.0
_MOST = 512
_AHEAD = 64  # requests that one may send before it has had its answers
_HEAD, _BODY = 1 << 20, 16 << 20  # bytes

Answers = Callable[[Request], Awaitable[Answer]]


class Clients:
    """Those that are connected, the one that has been silent longest first."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.connected: dict[Client, None] = {}

    def client(self) -> Client:
        return Client(self)

    def heard(self, client: Client) -> None:
        self.connected.pop(client, None)
        self.connected[client] = None
        if len(self.connected) > _MOST:
            next(iter(self.connected)).abort()

    def close(self) -> None:
        for client in tuple(self.connected):
            client.abort()


class Client(asyncio.Protocol):
    """One connection: requests one after the other, answers in their order."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request | Answer, bool]] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = self._begun = False
        self._restart()

    # ------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._clients.heard(self)
        self._within(_READ_S)

    def connection_lost(self, _error: Exception | None) -> None:
        self._clients.connected.pop(self, None)
        self._within(None)

    def abort(self) -> None:
        self._clients.connected.pop(self, None)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._clients.heard(self)
        if not self._begun:
            self._begun = True
            data = readable(data)
            if self._answering is None:
                self._within(_READ_S)
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._transport.pause_reading()  # not ours to understand: it has had its answer
        except _TooLarge as error:
            self._refuse(error.status)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _TooLarge) else 400)
        else:
            self._check_head()

    def eof_received(self) -> bool:
        """Answers that are being made still go out."""
        return self._answering is not None

    # ------------------------------------------------------------ the parser's events

    def on_message_begin(self) -> None:
        self._restart()
        self._begun = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, more = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]} {more}" if key in self._headers else more

    def on_headers_complete(self) -> None:
        self._in_body = True
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > _BODY:
            raise _TooLarge(413)

    def on_message_complete(self) -> None:
        request = self._request()
        keep = self._parser.should_keep_alive() and isinstance(request, Request)
        self._waiting.append((request, keep))
        self._restart()
        if len(self._waiting) > _AHEAD:
            self._transport.pause_reading()
        if self._answering is None:
            self._within(None)
            self._answering = asyncio.ensure_future(self._answer())

    def _restart(self) -> None:
        self._url, self._body, self._size = b"", bytearray(), 0
        self._headers: dict[str, str] = {}
        self._begun = self._in_body = False

    def _check_head(self) -> None:
        if not self._in_body and self._size > _HEAD:
            self._refuse(431)

    # ------------------------------------------------------------ answers

    def _request(self) -> Request | Answer:
        """Or what is wrong with it."""
        method = self._parser.get_method().decode()
        try:
            path, query = target(self._url)
        except ValueError:
            return of_http(400)
        if wrong := wrong_with(self._parser.get_http_version(), self._headers):
            return wrong
        if (method, self._url) == ("OPTIONS", b"*"):
            return Answer(200)
        return Request(method, path, query, self._headers, bytes(self._body))

    async def _answer(self) -> None:
        while self._waiting and not self._transport.is_closing():
            request, keep = self._waiting.popleft()
            head = isinstance(request, Request) and request.method == "HEAD"
            answer = request if isinstance(request, Answer) else await self._ask(request)
            self._transport.write(as_bytes(answer, keep, head))
            if not keep:
                break
        else:
            self._answering = None
            self._transport.resume_reading()
            self._within(_READ_S if self._begun else _IDLE_S)
            return
        self._within(_WRITE_S)
        self._transport.close()

    async def _ask(self, request: Request) -> Answer:
        try:
            return await self._clients.answers(request)
        except Exception as error:
            body = f"internal error: {type(error).__name__}: {error}\n"
            return Answer(500, body.encode(), (("Content-Type", TEXT),))

    def _refuse(self, status: int) -> None:
        """What cannot be read is answered, and the connection closed: what follows is unknown."""
        self._refused = True
        self._waiting.append((of_http(status), False))
        if self._answering is None:
            self._answering = asyncio.ensure_future(self._answer())

    # ------------------------------------------------------------ its time

    def _within(self, seconds: float | None) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = asyncio.get_running_loop().call_later(seconds, self._late)

    def _late(self) -> None:
        """A request without an end is told so; a client that says or takes nothing is dropped."""
        if self._in_body and self._answering is None:
            self._refuse(400)
        else:
            self.abort()


class _TooLarge(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
