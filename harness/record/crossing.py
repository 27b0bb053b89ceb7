"""What the way of the load to its service takes: `crossing.json`, measured before the load begins.

Each pair asked the service twice, one after the other: by the way that the load takes, and from
beside a pod of the service. What one took more than the other is what the way adds. Nothing of it
is ever subtracted from results. A run on this machine has none.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

FILE = "crossing.json"


@dataclass(frozen=True)
class Pair:
    """Seconds until connected and until the first byte of an answer: `here` by the way of the load,
    `there` from beside the pod (None: nobody was there to ask)."""

    here_connected: float
    here_answered: float
    there_connected: float | None = None
    there_answered: float | None = None


@dataclass(frozen=True)
class Crossing:
    """`beside` says who asked whom without the way, `forwarded` that a connection from here stands
    before the far end knows of it. `lacking`: why something was not measured."""

    service: str
    url: str
    beside: str = ""
    forwarded: bool = False
    pairs: tuple[Pair, ...] = ()
    lacking: str = ""


def write(directory: Path, crossing: Crossing) -> None:
    (directory / FILE).write_text(json.dumps(dataclasses.asdict(crossing)))


def read(directory: Path) -> Crossing | None:
    try:
        told = json.loads((directory / FILE).read_text())
    except FileNotFoundError:
        return None
    return Crossing(**{**told, "pairs": tuple(Pair(**pair) for pair in told["pairs"])})
