"""Where a system lives: finds targets, starts an agent beside them, and a place for the load."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.agent.effects import Resource
from harness.capabilities import Hands
from harness.experiment.model import System


@dataclass(frozen=True)
class Replica:
    """`name` is `database` for a service of one, `api-0`, `api-1` … for more. `address` is IPv4.

    `pid` names an attached process; those that we start change theirs."""

    name: str
    service: str
    zone: str
    address: str
    port: int
    pid: int = 0


@dataclass(frozen=True)
class Topology:
    """Who is there and who calls whom. `client` is the host that the load lives on."""

    replicas: tuple[Replica, ...]
    calls: tuple[tuple[str, str], ...]
    client: Replica

    def named(self, reference: str) -> tuple[Replica, ...]:
        """The replicas of a service, one replica, or `zone/NAME`; none if nothing has that name."""
        if reference.startswith("zone/"):
            return tuple(r for r in self.replicas if r.zone == reference[5:])
        return tuple(r for r in (*self.replicas, self.client) if reference in (r.service, r.name))

    @property
    def references(self) -> tuple[str, ...]:
        """Everything that may be named, for a did-you-mean."""
        names = [r.service for r in self.replicas] + [r.name for r in self.replicas]
        zones = [f"zone/{r.zone}" for r in self.replicas if r.zone]
        return tuple(dict.fromkeys(names + zones))

    def callers(self, service: str) -> tuple[str, ...]:
        return tuple(caller for caller, callee in self.calls if callee == service)


class Child(Protocol):
    """A process that was started in the world."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        ...

    def terminate(self) -> None:
        """SIGTERM, and SIGKILL when it does not end."""
        ...


class World(Protocol):
    """A system that is up. Leaving the context ends it and all that is in it."""

    name: str
    hands: Hands

    def spawn(self, host: str, argv: tuple[str, ...], log: Path) -> Child:
        """Start a process of ours on a host of the world."""
        ...

    def troubles(self) -> tuple[str, ...]:
        """What ended or restarted by itself since the last call: `api-0 exited with 1`.
        Raises `HandsError(lost=True)` when the world itself has ended."""
        ...


class Substrate(Protocol):
    name: str

    def refuse(self, system: System) -> str:
        """Why this system cannot live here (with the cure), or nothing."""
        ...

    def topology(self, system: System) -> Topology:
        """Pure: the same for the same system, without starting it."""
        ...

    def resources(
        self, capability: type, origins: tuple[Replica, ...], to: tuple[Replica, ...]
    ) -> tuple[Resource, ...]:
        """The resources of these targets that offer the capability, in their order; `to` narrows
        an edge. Empty when they do not offer it."""
        ...

    def mechanism(self, resource: Resource) -> str:
        """What will carry effects on it out, as far as can be told without starting anything."""
        ...

    def open(
        self, system: System, directory: Path, lease_s: float, keep: tuple[Path, ...] = ()
    ) -> AbstractContextManager[World]:
        """Start the system; logs go under `directory`. `keep`: more paths that must be visible
        inside. Raises `NotReady`, `Refused`."""
        ...
