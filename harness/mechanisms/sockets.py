"""The TCP connections of a network namespace, and ending one from outside (SOCK_DESTROY).

By sock_diag, as `ss` and `ss -K` do it. Both families: a server that listens on IPv6 for both
shows its IPv4 clients as mapped addresses, which are written here as plain IPv4.
"""

from __future__ import annotations

import math
import socket
import struct
from dataclasses import dataclass
from typing import Tuple

from harness.mechanisms.messages import ACK, DUMP, Channel, attributes

ESTABLISHED, SYN_SENT, SYN_RECEIVED, CLOSE_WAIT, LISTEN = 1, 2, 3, 8, 10

_SOCK_DIAG = 4
_BY_FAMILY, _DESTROY = 20, 21
_REQUEST = "=BBBBI"
_MAPPED = b"\0" * 10 + b"\xff\xff"


@dataclass(frozen=True)
class Connection:
    """`unread` bytes have arrived that the process has not read yet. `identity` is the kernel's own
    name of the socket: it cannot mean another one later. `idle_s`: since data came or went, where
    that was asked for and is known."""

    local: str
    local_port: int
    remote: str
    remote_port: int
    state: int
    unread: int
    family: int
    identity: bytes
    idle_s: float = math.inf


OPEN = (ESTABLISHED, SYN_SENT, SYN_RECEIVED, CLOSE_WAIT)
#: Whatever is left of a connection for a while after it has ended counts as well.
EVER = tuple(state for state in range(1, 12) if state not in (SYN_SENT, LISTEN))

_INFO, _HEAD = 2, 72  # an attribute behind the fixed part: struct tcp_info
_LAST_SENT, _LAST_RECEIVED = 44, 52  # milliseconds ago


def connections(states: Tuple[int, ...] = OPEN, *, idle: bool = False) -> Tuple[Connection, ...]:
    """Those of the thread's network namespace in these states; `idle`: and how long they are."""
    channel = Channel(_SOCK_DIAG)
    try:
        return tuple(
            _connection(body)
            for family in (socket.AF_INET, socket.AF_INET6)
            for body in channel.ask(
                _BY_FAMILY, DUMP, _request(family, states, idle), "list sockets"
            )
        )
    finally:
        channel.close()


def destroy(connection: Connection) -> bool:
    """End it: both ends see a reset. False when it had ended by itself."""
    channel = Channel(_SOCK_DIAG)
    body = struct.pack(_REQUEST, connection.family, socket.IPPROTO_TCP, 0, 0, 1 << connection.state)
    try:
        channel.ask(_DESTROY, ACK, body + connection.identity, "end a connection")
    except FileNotFoundError:
        return False
    finally:
        channel.close()
    return True


def _request(family: int, states: Tuple[int, ...], idle: bool) -> bytes:
    wanted = sum(1 << state for state in states)
    more = 1 << (_INFO - 1) if idle else 0
    return struct.pack(_REQUEST, family, socket.IPPROTO_TCP, more, 0, wanted) + bytes(48)


def _idle_s(body: bytes) -> float:
    info = dict(attributes(body[_HEAD:])).get(_INFO, b"")
    if len(info) < _LAST_RECEIVED + 4:
        return math.inf
    times = (int(struct.unpack_from("=I", info, at)[0]) for at in (_LAST_SENT, _LAST_RECEIVED))
    return min(times) / 1000


def _connection(body: bytes) -> Connection:
    family, state = body[0], body[1]
    ports = struct.unpack_from(">HH", body, 4)
    local, remote = (_address(family, body[at : at + 16]) for at in (8, 24))
    unread = 0 if state == LISTEN else struct.unpack_from("=I", body, 56)[0]
    identity = body[4:52]
    return Connection(
        local, ports[0], remote, ports[1], state, unread, family, identity, _idle_s(body)
    )


def _address(family: int, packed: bytes) -> str:
    if family == socket.AF_INET:
        return socket.inet_ntoa(packed[:4])
    if packed.startswith(_MAPPED):
        return socket.inet_ntoa(packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)
