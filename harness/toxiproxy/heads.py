"""The head of a request as Go reads it and our parser does not: it knows but a list of methods and
ASCII in paths, and takes what follows a wish to upgrade for another protocol."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import httptools

from harness.toxiproxy.answers import Answer, of_http

_KNOWN = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"))
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_UPGRADE = re.compile(rb"\nupgrade(?=[ \t]*:)", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9!$%&'()*+,\-.:;=\[\]_~]*")
#: Stands for all methods that no route has.
_NONE = b"TRACE"


def readable(data: bytes) -> bytes:
    """The first bytes of a request, so that they mean the same to our parser. An upgrade is never
    granted, so it need not be asked for."""
    head, blank, body = data.partition(b"\r\n\r\n")
    line, newline, fields = head.partition(b"\r\n")
    method, space, rest = line.partition(b" ")
    if space and method not in _KNOWN and _TOKEN.fullmatch(method):
        method = _NONE
    rest = _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], rest)
    fields = _UPGRADE.sub(b"\nX-Upgrade", newline + fields)
    return b"".join((method, space, rest, fields, blank, body))


def wrong_with(version: str, headers: dict[str, str]) -> Answer | None:
    """What Go refuses before anybody else sees it."""
    if not version.startswith("1."):
        return of_http(505, ": unsupported protocol version")
    if version == "1.1" and "host" not in headers:
        return of_http(400, ": missing required Host header")
    if not _HOST.fullmatch(headers.get("host", "")):
        return of_http(400, ": malformed Host header")
    if headers.get("expect", "100-continue").lower() != "100-continue":
        return Answer(417)
    return None


def target(url: bytes) -> tuple[str, str]:
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
