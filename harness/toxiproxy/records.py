"""Who came through a proxy, and which toxics each connection met: the last ones are kept."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_KEPT = 1000


@dataclass
class Connection:
    """Times in seconds since the epoch. `met` says when each toxic was met first; `moved` tells the
    bytes to the upstream and to the client so far."""

    id: int
    client: str
    begun: float = field(default_factory=time.time)
    upstream: str = ""
    ended: float | None = None
    how: str = "open"
    met: dict[str, float] = field(default_factory=dict)
    moved: Callable[[], tuple[int, int]] = lambda: (0, 0)

    def end(self, how: str) -> None:
        self.ended, self.how = time.time(), how
        there, back = self.moved()
        self.moved = lambda: (there, back)  # the connection itself may be forgotten

    def shown(self) -> dict[str, Any]:
        there, back = self.moved()
        return {
            "id": self.id,
            "client": self.client,
            "upstream": self.upstream,
            "begun": self.begun,
            "ended": self.ended,
            "how": self.how,
            "bytes_upstream": there,
            "bytes_downstream": back,
            "met": self.met,
        }


class Records:
    """Open connections, and the last thousand that have ended."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._open: dict[int, Connection] = {}
        self._over: deque[Connection] = deque(maxlen=_KEPT)

    def begin(self, client: str) -> Connection:
        connection = Connection(next(self._ids), client)
        self._open[connection.id] = connection
        return connection

    def end(self, connection: Connection, how: str) -> None:
        connection.end(how)
        self._over.append(self._open.pop(connection.id))

    def all(self) -> list[Connection]:
        """In the order of their coming."""
        return sorted((*self._over, *self._open.values()), key=lambda one: one.id)
