"""What the supervisor of a world is told at its start, and where things are inside.

Everything is decided before it starts, purely from the System file, so that a plan can print it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

BRIDGE = "br0"
PREFIX = 16
NETNS = "/run/netns"
DATA = "/run/harness/data"
HOME = "/run/harness/home"
#: Replaced by file systems of the world: what the machine keeps there is out of its reach.
PRIVATE = ("/tmp", "/run", "/dev/shm")  # noqa: S108  the names are the point


@dataclass(frozen=True)
class Host:
    """A network namespace with one cable to the bridge. `number` counts from 1 (the client)."""

    name: str
    number: int

    @property
    def address(self) -> str:
        return f"198.18.{self.number >> 8}.{self.number & 255}"

    @property
    def mac(self) -> str:
        return f"02:00:c6:12:{self.number >> 8:02x}:{self.number & 255:02x}"

    @property
    def cable(self) -> str:
        """The other end of its eth0: a port of the bridge."""
        return f"v-{self.number}"

    @property
    def netns(self) -> str:
        return f"{NETNS}/{self.name}"


@dataclass(frozen=True)
class Command:
    """The process of a replica. `restart_after` in seconds; None: it is not started again."""

    host: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    cwd: str
    log: str
    restart_after: float | None


@dataclass(frozen=True)
class WorldSpec:
    """`keep` are the paths that stay visible although they lie in a private place."""

    name: str
    hosts: tuple[Host, ...]
    commands: tuple[Command, ...]
    names: str
    keep: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))


def spec_from_json(text: str) -> WorldSpec:
    data = json.loads(text)
    return WorldSpec(
        name=data["name"],
        hosts=tuple(Host(**host) for host in data["hosts"]),
        commands=tuple(map(command_from, data["commands"])),
        names=data["names"],
        keep=tuple(data["keep"]),
    )


def command_from(data: dict[str, Any]) -> Command:
    env = tuple((name, value) for name, value in data["env"])
    return Command(**{**data, "argv": tuple(data["argv"]), "env": env})
