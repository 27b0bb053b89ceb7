"""The head of a request as Go reads it and our parser does not: it knows but a list of methods and
ASCII in paths, and takes what follows a wish to upgrade for another protocol."""

from __future__ import annotations

import re

_KNOWN = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"))
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_UPGRADE = re.compile(rb"\nupgrade(?=[ \t]*:)", re.IGNORECASE)
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
