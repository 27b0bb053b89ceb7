"""Requests and answers as the API sees them, apart from how they travel."""

from __future__ import annotations

import email.utils
import http
import json
import os
import struct
import time
from dataclasses import dataclass
from typing import Any

from harness.toxiproxy import gojson
from harness.toxiproxy.errors import ApiError

TEXT, JSON = "text/plain; charset=utf-8", "application/json"
_DIGITS = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True)
class Request:
    """`path` is unescaped, `query` as it came with its question mark; names of `headers` are in
    lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def shown(value: Any, status: int = 200) -> Answer:
    """A value as Toxiproxy writes it."""
    return Answer(status, gojson.write(value).encode("utf-8"), (("Content-Type", JSON),))


def told(value: Any, status: int = 200) -> Answer:
    """A value of our own API."""
    return Answer(status, json.dumps(value).encode() + b"\n", (("Content-Type", JSON),))


def text(message: str, status: int) -> Answer:
    headers = (("Content-Type", TEXT), ("X-Content-Type-Options", "nosniff"))
    return Answer(status, message.encode() + b"\n", headers)


def refused(error: ApiError) -> Answer:
    """JSON that says it is text: so it is there."""
    return text(gojson.write({"error": error.message, "status": error.status}), error.status)


def of_http(number: int, why: str = "") -> Answer:
    """Of HTTP itself, in Go's words."""
    said = f"{number} {http.HTTPStatus(number).phrase}{why}"
    return Answer(number, said.encode(), (("Content-Type", TEXT),))


def as_bytes(answer: Answer, keep: bool, head: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines.append(f"Date: {email.utils.formatdate(usegmt=True)}")
    if answer.status != 204 and not (head and not answer.body):
        lines.append(f"Content-Length: {len(answer.body)}")
    if not keep:
        lines.append("Connection: close")
    body = b"" if head else answer.body
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def request_id() -> str:
    """Twenty characters, of the time and chance, as Toxiproxy's."""
    number = int.from_bytes(struct.pack("!I", int(time.time())) + os.urandom(8), "big") << 4
    return "".join(_DIGITS[number >> shift & 31] for shift in range(95, -5, -5))
