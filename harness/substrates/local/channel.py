"""Requests to a world's supervisor: JSON messages, with file descriptors beside them.

The socket is an abstract one, made before the world left the machine's network, so there is nothing
in the file system and nothing to clean up. One connection carries one request; that of a spawned
process stays open as long as the process, and its end ends the process.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PREFIX = "harness-world"
_LARGEST = 1 << 18
_MOST_FDS = 8
_FD_SIZE = struct.calcsize("i")


class ChannelError(Exception):
    """The supervisor refused or failed, or is not there (`lost`)."""

    def __init__(self, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.lost = lost


@dataclass(frozen=True)
class Message:
    fields: dict[str, Any]
    fds: tuple[int, ...] = ()


def world_name(label: str) -> str:
    return f"{_PREFIX}-{os.getuid()}-{label}"


def worlds() -> tuple[str, ...]:
    """The names of this user's worlds that are up."""
    prefix = f"@{_PREFIX}-{os.getuid()}-"
    lines = Path("/proc/net/unix").read_text().splitlines()
    paths = (line.rsplit(" ", 1)[-1] for line in lines)
    return tuple(sorted({path[1:] for path in paths if path.startswith(prefix)}))


def listen(name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"\0{name}")
    listener.listen(64)
    return listener


def is_owner(connection: socket.socket) -> bool:
    """The world's owner is who we are; in a user namespace everybody else is nobody."""
    size = struct.calcsize("3i")
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", peer)[1]) == os.getuid()


def send(connection: socket.socket, fields: dict[str, Any], fds: Sequence[int] = ()) -> None:
    data = json.dumps(fields).encode()
    if fds:
        socket.send_fds(connection, [data], list(fds))
    else:
        connection.send(data)


def receive(connection: socket.socket) -> Message | None:
    """The next message, None at the end. Raises OSError, TimeoutError."""
    room = socket.CMSG_SPACE(_MOST_FDS * _FD_SIZE)
    # not socket.recv_fds, which forgets its flags: the descriptors would leak into every child
    data, beside, _, _ = connection.recvmsg(_LARGEST, room, socket.MSG_CMSG_CLOEXEC)
    fds = tuple(fd for _, _, packed in beside for (fd,) in struct.iter_unpack("i", packed))
    return Message(json.loads(data), fds) if data else None


def open_request(
    name: str, op: str, fds: Sequence[int] = (), timeout_s: float = 10.0, **fields: Any
) -> tuple[socket.socket, Message]:
    """Send a request and wait for its answer; the connection stays open. Raises ChannelError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(timeout_s)
        connection.connect(f"\0{name}")
        send(connection, {"op": op, **fields}, fds)
        answer = receive(connection)
    except OSError as error:
        connection.close()
        lost = not isinstance(error, TimeoutError)
        raise ChannelError(f"{op}: {error or 'no answer'}", lost=lost) from None
    if answer is None or "error" in answer.fields:
        connection.close()
        said = answer.fields["error"] if answer else "the world has ended"
        raise ChannelError(f"{op}: {said}", lost=answer is None)
    return connection, answer


def request(
    name: str, op: str, fds: Sequence[int] = (), timeout_s: float = 10.0, **fields: Any
) -> Message:
    """One request, one answer."""
    connection, answer = open_request(name, op, fds, timeout_s, **fields)
    connection.close()
    return answer
