"""The proxy that stands on edges whose callers were told its addresses; it connects on.

Where connections cannot be redirected, an edge has one from the beginning. The sockets are made by
whoever starts it and outlive it: when it is killed, a fresh one takes its place, without toxics. Of
an edge, one listener goes to every replica of the service in turn, and others to one replica each.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import sys
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from harness.agent.effects import ORDINARY_PROBE_PORTS
from harness.mechanisms.namespaces import die_with_parent
from harness.mechanisms.proxy_carrier import BACKLOG, Carrier, connected, many_descriptors
from harness.mechanisms.proxy_told import converse

Goal = Tuple[str, int]
#: Of an edge: where the proxy is told, and its listeners, each with its goals.
Opened = Tuple[socket.socket, List[Tuple[socket.socket, List[Goal]]]]


def arguments(edges: Sequence[Opened]) -> Tuple[str, ...]:
    """What follows `python`, said by its parent."""
    told = [(c.fileno(), [(one.fileno(), goals) for one, goals in doors]) for c, doors in edges]
    return ("-P", "-m", "harness.mechanisms.proxy_listening", str(os.getpid()), json.dumps(told))


def door(address: str, port: int) -> socket.socket:
    """A listener; raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def ear(path: str) -> socket.socket:
    """Where a proxy is told; raises OSError."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(path)
    made.listen(BACKLOG)
    return made


def main(argv: Sequence[str]) -> None:
    """PARENT EDGES: JSON, of each edge [CONTROL-FD, [[LISTENER-FD, [[ADDRESS, PORT], …]], …]]."""
    parent, edges = argv
    die_with_parent()
    if os.getppid() != int(parent):
        sys.exit("the world has ended")
    many_descriptors()
    asyncio.run(_serve(json.loads(edges)))


async def _serve(edges: List[Any]) -> None:
    for control, listeners in edges:
        carrier = Listening({
            socket.socket(fileno=fd): [(address, port) for address, port in goals]
            for fd, goals in listeners
        })  # fmt: skip
        await asyncio.start_unix_server(carrier.hear, sock=socket.socket(fileno=control))
    await asyncio.Event().wait()


class Listening(Carrier):
    """The carrier of connections that come by themselves, from each listener to its goals."""

    probes = ORDINARY_PROBE_PORTS

    def __init__(self, goals: Dict[socket.socket, List[Goal]]) -> None:
        self._goals = goals
        self._turns: Iterator[int] = itertools.count()
        for listener in goals:
            listener.setblocking(False)
        super().__init__(tuple(goals))

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One who tells us something, or asks."""

        def say(answer: Dict[str, Any]) -> None:
            writer.write(json.dumps(answer).encode() + b"\n")

        await converse(self, reader, say)
        writer.close()

    async def answer(self, request: Dict[str, Any]) -> Dict[str, Any]:
        ports = [listener.getsockname()[1] for listener in self._goals]
        said = await super().answer(request)
        return {**said, "in_force": list(self._in_force), "ports": ports}

    async def connect(self, client: socket.socket, listener: socket.socket) -> socket.socket:
        """To the next of its goals; to another one where nobody listens."""
        goals = self._goals[listener]
        first = next(self._turns) % len(goals)
        for goal in (*goals[first:], *goals[:first]):
            try:
                return await connected(goal)
            except ConnectionRefusedError as error:
                refusal = error
        raise refusal


if __name__ == "__main__":
    main(sys.argv[1:])
