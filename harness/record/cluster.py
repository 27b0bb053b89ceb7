"""What the cluster said of itself while a run went on: `cluster.jsonl`, a line each time that
something changed.

Written by the run's own watches; instants are when we were told, on the run's monotonic clock. A
torn last line is not there when it is read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FILE = "cluster.jsonl"

Kind = Literal["pod", "workload", "endpoints", "node", "event", "watch"]


@dataclass(frozen=True)
class Sighting:
    """At monotonic instant `at` the thing `name` of that kind was seen to be as `says` tells.

    `state` is one word of its kind: a pod is absent, pending, running, ready, leaving, ended; a
    workload or a Service's endpoints whole or short; a node ready, cordoned, lost. An event has the
    word of its reason, a watch `lost` (when it was heard last), `back`, or `never` there. `service`
    is the system's, where it is of one.
    """

    at: int
    kind: Kind
    name: str
    state: str
    says: str
    service: str = ""


def line_of(sighting: Sighting) -> str:
    return json.dumps(dataclasses.asdict(sighting), separators=(",", ":")) + "\n"


def read(directory: Path) -> tuple[Sighting, ...]:
    """All sightings of a run directory, in order; none where nobody looked."""
    return tuple(sorted(_sightings(directory / FILE), key=lambda seen: seen.at))


def gaps(sightings: tuple[Sighting, ...], name: str) -> Iterator[tuple[int, int]]:
    """From when to when (0: the end) nobody saw these: `pods`, `nodes` …"""
    begin = 0
    for seen in (s for s in sightings if (s.kind, s.name) == ("watch", name)):
        if seen.state == "lost":
            begin = seen.at
        elif seen.state == "back" and begin:
            yield begin, seen.at
            begin = 0
    if begin:
        yield begin, 0


def _sightings(path: Path) -> Iterator[Sighting]:
    try:
        with path.open() as file:
            for line in file:
                if line.endswith("\n"):
                    yield Sighting(**json.loads(line))
    except FileNotFoundError:
        return
