"""HTTP/1.1 around the API: parsing by llhttp, limits on time and size, Go's answers to bad input.

A request has to be there within 15 s of its first byte, a connection may be idle for 60 s, and an
answer has to be taken within 30 s. At most `_MOST` clients are connected; with more, the one that
has been silent longest goes, so that clients that never finish do not keep others out.
"""

from __future__ import annotations

import asyncio
import email.utils
import http
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import unquote_to_bytes

import httptools

from harness.toxiproxy.answers import TEXT, Answer, Request
from harness.toxiproxy.heads import readable

_READ_S, _WRITE_S, _IDLE_S = 15.0, 30.0, 60.0
_MOST = 512
_AHEAD = 64  # requests that one may send before it has had its answers
_HEAD, _BODY = 1 << 20, 16 << 20  # bytes
_HOST = re.compile(r"[A-Za-z0-9!$%&'()*+,\-.:;=\[\]_~]*")

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
            if self._answering is None:
                self._within(_READ_S)
        if not self._size:
            data = readable(data)
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
            path, query = _target(self._url)
        except ValueError:
            return _status(400)
        if wrong := _wrong(self._parser.get_http_version(), self._headers):
            return wrong
        if (method, self._url) == ("OPTIONS", b"*"):
            return Answer(200)
        return Request(method, path, query, self._headers, bytes(self._body))

    async def _answer(self) -> None:
        while self._waiting and not self._transport.is_closing():
            request, keep = self._waiting.popleft()
            head = isinstance(request, Request) and request.method == "HEAD"
            answer = request if isinstance(request, Answer) else await self._ask(request)
            self._transport.write(_bytes(answer, keep, head))
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
        self._waiting.append((_status(status), False))
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


def _wrong(version: str, headers: dict[str, str]) -> Answer | None:
    """What Go refuses before anybody else sees it."""
    if not version.startswith("1."):
        return _status(505, ": unsupported protocol version")
    if version == "1.1" and "host" not in headers:
        return _status(400, ": missing required Host header")
    if not _HOST.fullmatch(headers.get("host", "")):
        return _status(400, ": malformed Host header")
    if headers.get("expect", "100-continue").lower() != "100-continue":
        return Answer(417)
    return None


def _target(url: bytes) -> tuple[str, str]:
    """Path and query, with its question mark. Raises ValueError."""
    if not url.startswith(b"/"):
        parsed = httptools.parse_url(url)
        url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
    path, mark, query = url.partition(b"?")
    for at in (i for i, byte in enumerate(path) if byte == ord("%")):
        bytes.fromhex(path[at + 1 : at + 3].decode("ascii"))
        if len(path[at + 1 : at + 3]) < 2:
            raise ValueError("a percent sign alone")
    shown = unquote_to_bytes(path).decode("utf-8", "surrogateescape")
    return shown, (mark + query).decode("latin-1")


def _status(status: int, why: str = "") -> Answer:
    said = f"{status} {http.HTTPStatus(status).phrase}{why}"
    return Answer(status, said.encode(), (("Content-Type", TEXT),))


def _bytes(answer: Answer, keep: bool, head: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines.append(f"Date: {email.utils.formatdate(usegmt=True)}")
    if answer.status != 204 and not (head and not answer.body):
        lines.append(f"Content-Length: {len(answer.body)}")
    if not keep:
        lines.append("Connection: close")
    body = b"" if head else answer.body
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body
