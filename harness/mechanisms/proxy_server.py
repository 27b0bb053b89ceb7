"""The proxy as a process: in the caller's network namespace, between it and what it calls.

It listens on loopback, redirects the caller's connections to itself (the table dies with this
process), and moves their bytes with the toxics in force. Connections that were open before are
ended: they would escape. It is told what to do over a socket, a JSON line each, and ends with it.
Caveat: a caller sees its connection made before the dependency has been reached.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import sys
from typing import Any, Dict, Sequence, Set, Tuple

from harness.mechanisms import sockets
from harness.mechanisms.namespaces import NEW_NET, die_with_parent, enter
from harness.mechanisms.nft import MARK, Redirect
from harness.mechanisms.proxy_carrier import BACKLOG, Carrier, connected, many_descriptors
from harness.mechanisms.proxy_told import told

_LOOPBACK = "127.0.0.1"
_PORTS = range(
    15001, 16000
)  # below the ephemeral ones; an explicit port stays ours when we stop listening
_ORIGINAL_DESTINATION = 80


def main(argv: Sequence[str]) -> None:
    """NETNS TABLE PORT CONTROL-FD ADDRESS…; the first line back says {"port", "closed"}."""
    netns, table, port, control, *addresses = argv
    die_with_parent()
    enter(netns, NEW_NET)
    many_descriptors()
    with socket.socket(fileno=int(control)) as line:
        asyncio.run(told(line, lambda: Server(table, tuple(addresses), int(port))))


class Server(Carrier):
    """The carrier of connections that are redirected to it. `closed`: how many were ended."""

    def __init__(self, table: str, addresses: Tuple[str, ...], port: int) -> None:
        self._goals = {(address, port) for address in addresses}
        self._redirect = Redirect(table)
        listener, self.port = _listener()
        self._redirect.begin(addresses, port, self.port)
        self.closed = _close_open_ones(self._goals, self.port)
        super().__init__([listener])

    def greeting(self) -> Dict[str, Any]:
        return {"port": self.port, "closed": self.closed}

    def attempts(self) -> int:
        return self._redirect.attempts()

    async def connect(self, client: socket.socket, listener: socket.socket) -> socket.socket:
        """Past our own redirect."""
        packed = client.getsockopt(socket.SOL_IP, _ORIGINAL_DESTINATION, 16)
        port, address = struct.unpack("!2xH4s8x", packed)
        goal = (socket.inet_ntoa(address), port)
        if goal not in self._goals:
            raise OSError(f"{goal} is not ours to reach")
        return await connected(goal, MARK)

    async def close(self) -> None:
        """The redirect goes last."""
        await super().close()
        self._redirect.close()


def _listener() -> Tuple[socket.socket, int]:
    for port in random.Random(os.getpid()).sample(_PORTS, 100):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Listening again needs it, while connections that were accepted before are still ending.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_LOOPBACK, port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            continue
        listener.setblocking(False)
        return listener, port
    raise OSError(f"no free port of {_PORTS.start} to {_PORTS.stop - 1}")


def _close_open_ones(goals: Set[Tuple[str, int]], port: int) -> int:
    """End the connections to these goals that do not come through us; says how many.

    The redirect is in place and nothing was accepted yet: a newcomer's other end is in our queue.
    """
    theirs = [c for c in sockets.connections() if (c.remote, c.remote_port) in goals]
    redirected = {(c.remote, c.remote_port) for c in sockets.connections() if c.local_port == port}
    escaped = [c for c in theirs if (c.local, c.local_port) not in redirected]
    return sum(sockets.destroy(connection) for connection in escaped)


if __name__ == "__main__":
    main(sys.argv[1:])
