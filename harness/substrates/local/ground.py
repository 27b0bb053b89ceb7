"""What the supervisor stands on: how processes are started where a system lives, and found again.

`processes.Namespaces` is the ground of a local world, `loopback.ground.Loopback` that where
namespaces are refused.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.agent.effects import Process


@dataclass(frozen=True)
class Start:
    """What to start, and on which host. `service`: as the ordinary user that services are."""

    host: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    service: bool
    stdio: tuple[int, int, int]


class Ground(Protocol):
    @property
    def hosts(self) -> Collection[str]:
        """Where something may be started; the empty name is the supervisor's own place."""
        ...

    def start(self, what: Start) -> int:
        """The pid. Raises OSError when it cannot be executed."""
        ...

    def start_replica(self, what: Start) -> int:
        """The same for a replica's main process, with its directory for data; the pid that ends
        with it."""
        ...

    def processes(self, replica: str) -> tuple[Process, ...]:
        """All that the replica has started and that is alive."""
        ...

    def socket(self, host: str) -> socket.socket:
        """A TCP socket that lives on that host."""
        ...

    def ended(self, pid: int) -> str:
        """A child that neither a replica nor a visitor was has ended: what to tell of it."""
        ...

    def tend(self, known: Collection[int]) -> None:
        """Called whenever children have ended; `known` are those of the supervisor's that live."""
        ...
