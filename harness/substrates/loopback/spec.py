"""What the supervisor of a loopback world is told at its start: everything is decided before."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from harness.substrates.local.spec import Command, command_from

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Door:
    """A port where a caller finds a service, or one replica of it: `goals` are their own ports."""

    port: int
    goals: tuple[int, ...]


@dataclass(frozen=True)
class Passage:
    """The doors of one edge. `control` is where its proxy is told, a socket of the directory."""

    control: str
    doors: tuple[Door, ...]


@dataclass(frozen=True)
class Caller:
    """A host, and the edges that it calls by: one proxy process carries them."""

    name: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class LoopbackSpec:
    """`place` is the world's directory, `ports` are the replicas' own. `drop_to` is the user and
    group of services where that is not the harness's own (0: it is)."""

    name: str
    place: str
    commands: tuple[Command, ...]
    ports: dict[str, int]
    callers: tuple[Caller, ...]
    drop_to: int = 0

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))


def spec_from_json(text: str) -> LoopbackSpec:
    data = json.loads(text)
    callers = tuple(
        Caller(caller["name"], tuple(
            Passage(p["control"], tuple(Door(d["port"], tuple(d["goals"])) for d in p["doors"]))
            for p in caller["passages"]
        ))
        for caller in data["callers"]
    )  # fmt: skip
    commands = tuple(map(command_from, data["commands"]))
    return LoopbackSpec(**{**data, "commands": commands, "callers": callers})
