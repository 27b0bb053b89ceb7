"""One keep-alive connection that carries one request at a time, and reads its answer.

The parser is llhttp (httptools). Nothing is retried and nothing followed: what the first attempt
came to is the outcome. An answer without a length ends with its connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from httptools import HttpParserError, HttpResponseParser

from harness.load.fast_requests import Ready


class Owner(Protocol):
    """Who is told what became of a request; both take the connection back."""

    def answered(self, connection: Connection) -> None: ...

    def failed(self, connection: Connection, error: BaseException) -> None: ...


class Connection(asyncio.Protocol):
    """Fields of the request in flight are set by `send`; `ready` is None when there is none."""

    __slots__ = (
        "_head", "_keeps", "_owner", "_parser", "_whole", "body", "closed", "due", "index",
        "opening", "ready", "size", "started", "status", "transport",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser: Any = None
        self._head = b""
        self._whole = self._keeps = False
        self.transport: Any = None
        self.opening: Any = None
        self.closed = False
        self.ready: Ready | None = None
        self.index = self.due = self.started = self.size = self.status = 0
        self.body = bytearray()

    def send(self, ready: Ready, index: int, due: int, started: int) -> None:
        """One request; it is kept until the connection is open."""
        self.ready, self.index, self.due, self.started = ready, index, due, started
        self.size, self._whole = 0, False
        if ready.reads_body:
            self.body = bytearray()
        if self.transport is not None:
            self.transport.write(ready.bytes)

    def abort(self) -> None:
        """Leave without a word: what was asked is not wanted any more."""
        self.closed, self.ready = True, None
        if self.opening is not None:
            self.opening.cancel()
        if self.transport is not None:
            self.transport.abort()

    @property
    def stays(self) -> bool:
        """Whether the peer lets another request follow."""
        return self._keeps and not self.closed

    # what the transport calls

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.closed:  # given up while it was being opened
            transport.abort()
            return
        self._parser = HttpResponseParser(self)
        if self.ready is not None:
            transport.write(self.ready.bytes)

    def data_received(self, data: bytes) -> None:
        if self.ready is None:  # an answer that nobody asked for
            self.closed = True
            self.transport.abort()
            return
        if not self.size:
            self._head = data
        self.size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(error)
            return
        if self._whole:
            self._owner.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.ready is None:
            return
        if exc is None and self.size and self._ends_with_connection():
            self.status = self._parser.get_status_code()
            self._owner.answered(self)
        else:
            self._fail(exc or ConnectionResetError("closed before the answer was whole"))

    # what the parser calls

    def on_body(self, body: bytes) -> None:
        assert self.ready is not None, "answers are read for a request"
        if self.ready.reads_body:
            self.body += body

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._whole = self.status >= 200  # 100 Continue is no answer
        self._keeps = self._parser.should_keep_alive()  # not to be asked later

    def _ends_with_connection(self) -> bool:
        head, whole, _ = self._head.lower().partition(b"\r\n\r\n")
        told = b"\ncontent-length:" in head or b"\ntransfer-encoding:" in head
        return bool(whole) and not told

    def _fail(self, error: BaseException) -> None:
        self.closed = True
        self._owner.failed(self, error)
        self.transport.abort()
