"""Packets that netfilter hands to us instead of going on, by nfnetlink, without a library.

A `Queue` belongs to the network namespace of the thread that opened it. It is there as long as its
socket is open; with that the kernel drops what still waits in it. Frames have a made-up Ethernet
header, whose first bytes are the packet's number, because that is what a relay treats. Needs
CAP_NET_ADMIN.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections import deque
from typing import Deque

from harness.mechanisms.messages import ACK, attribute, attributes, message

_NETFILTER = 12
_QUEUES = 3 << 8
_PACKET, _VERDICT, _CONFIG = 0, 1, 2
_COMMAND, _PARAMETERS, _LENGTH, _MASK, _FLAGS = 1, 2, 3, 4, 5
_BIND, _COPY_PACKET, _FAIL_OPEN = 1, 2, 1
_HEADER, _VERDICT_HEADER, _PAYLOAD = 1, 2, 10
_DROP, _ACCEPT = 0, 1
_SOL_NETLINK, _NO_ENOBUFS, _RCVBUF_FORCE = 270, 5, 33
_WAITING, _BUFFER, _LARGEST = 20_000, 16 << 20, 1 << 17
#: In front of the packet: its number, then what makes it an Ethernet frame of IPv4.
_FRAME = struct.Struct(">I8xH")
_IPV4 = 0x0800


class Queue:
    """Packets of the queue of that number. Raises OSError, EBUSY where somebody else has it."""

    def __init__(self, number: int) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETFILTER)
        self._number = number
        self._waiting: Deque[bytes] = deque()
        self._socket.settimeout(2.0)
        self._socket.bind((0, 0))
        with contextlib.suppress(OSError):  # only in the first user namespace
            self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUF_FORCE, _BUFFER)
        self._socket.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
        self._configure(attribute(_COMMAND, struct.pack(">BxH", _BIND, 0)))
        self._configure(attribute(_PARAMETERS, struct.pack(">IB", 0xFFFF, _COPY_PACKET)))
        self._configure(attribute(_LENGTH, struct.pack(">I", _WAITING)))
        flags = struct.pack(">I", _FAIL_OPEN)
        self._configure(attribute(_MASK, flags) + attribute(_FLAGS, flags))
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def recv(self, _size: int, /) -> bytes:
        """The next packet, as a frame. Raises BlockingIOError when there is none."""
        while not self._waiting:
            self._read(self._socket.recv(_LARGEST))
        return self._waiting.popleft()

    def accept(self, frame: bytes) -> None:
        """It goes on as it stands in the frame."""
        packet = attribute(_PAYLOAD, frame[_FRAME.size :])
        self._decide(_ACCEPT, _FRAME.unpack_from(frame)[0], packet)

    def drop(self, frame: bytes) -> None:
        self._decide(_DROP, _FRAME.unpack_from(frame)[0], b"")

    def close(self) -> None:
        self._socket.close()

    # ------------------------------------------------------------ messages

    def _read(self, data: bytes) -> None:
        at = 0
        while at + 16 <= len(data):
            size, kind = struct.unpack_from("=IH", data, at)
            if kind == _QUEUES | _PACKET:
                parts = dict(attributes(data[at + 20 : at + size]))
                number = struct.unpack_from(">I", parts[_HEADER])[0]
                self._waiting.append(_FRAME.pack(number, _IPV4) + parts.get(_PAYLOAD, b""))
            at += (size + 3) & ~3

    def _decide(self, verdict: int, number: int, more: bytes) -> None:
        body = attribute(_VERDICT_HEADER, struct.pack(">II", verdict, number)) + more
        self._socket.send(message(_QUEUES | _VERDICT, 0, 0, self._head() + body))

    def _configure(self, body: bytes) -> None:
        self._socket.send(message(_QUEUES | _CONFIG, ACK, 0, self._head() + body))
        code = -struct.unpack_from("=i", self._socket.recv(_LARGEST), 16)[0]
        if code:
            raise OSError(code, f"queue {self._number}: {os.strerror(code)}")

    def _head(self) -> bytes:
        return struct.pack(">BBH", socket.AF_UNSPEC, 0, self._number)
