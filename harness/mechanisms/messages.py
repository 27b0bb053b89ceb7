"""Netlink messages as bytes: attributes, headers, and one question with its answers.

What nftables (`nft`) and the socket list (`sockets`) share. A `Channel` belongs to the network
namespace of the thread that opened it, and may then be used from any thread, one at a time.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Iterator, List, Tuple

REQUEST, ACK, DUMP, EXCL, CREATE = 0x1, 0x4, 0x300, 0x200, 0x400
_ERROR, _DONE = 2, 3
_HEADER = "=IHHII"
_NESTED = 0x8000
_TIMEOUT_S = 5.0


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nest(kind: int, *inner: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(inner))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """32 bits in network order, as nftables wants them."""
    return attribute(kind, struct.pack(">I", value))


def attributes(data: bytes) -> Iterator[Tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + size]
        at += (size + 3) & ~3


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack(_HEADER, 16 + len(body), kind, flags | REQUEST, sequence, 0) + body


class Channel:
    """A netlink socket of one protocol; `port` is its address, which owns what it makes."""

    def __init__(self, protocol: int) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.bind((0, 0))
        self._last = 0

    def close(self) -> None:
        self._socket.close()

    def sequence(self) -> int:
        self._last += 1
        return self._last

    def ask(self, kind: int, flags: int, body: bytes, what: str) -> List[bytes]:
        """The answers to one request; raises OSError with the kernel's errno and `what`."""
        sequence = self.sequence()
        self._socket.send(message(kind, flags, sequence, body))
        return self._answers(sequence, what)

    def tell(self, messages: bytes, last: int, what: str) -> None:
        """Send several at once; the one numbered `last` asked for an acknowledgement."""
        self._socket.send(messages)
        self._answers(last, what)

    def _answers(self, last: int, what: str) -> List[bytes]:
        found: List[bytes] = []
        while True:
            for kind, sequence, body in _split(self._socket.recv(1 << 18)):
                if kind == _ERROR:
                    _raise(body, what)
                    if sequence == last:
                        return found
                elif kind == _DONE and sequence == last:
                    return found
                elif sequence == last:
                    found.append(body)


def _split(data: bytes) -> Iterator[Tuple[int, int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        size, kind, _flags, sequence, _port = struct.unpack_from(_HEADER, data, at)
        yield kind, sequence, data[at + 16 : at + size]
        at += (size + 3) & ~3


def _raise(body: bytes, what: str) -> None:
    code = -struct.unpack_from("=i", body)[0]
    if code:
        raise OSError(code, f"{what}: {os.strerror(code)}")
