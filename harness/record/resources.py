"""What the replicas used while a run went on: `resources.jsonl`, a line each second and replica.

Written by a process of its own (`substrates.sampler`), so that neither the system nor the load
waits for it. A torn last line is not there when it is read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = "resources.jsonl"


@dataclass(frozen=True)
class Sample:
    """One replica at monotonic instant `at`, all of its processes together.

    `memory` in bytes, what they share counted once; `cpu` in cores, since the sample before.
    `answers` counts the TCP segments with data that its network has sent so far (what was
    retransmitted is not counted again); None where that network is not its own.
    """

    at: int
    service: str
    replica: str
    processes: int
    memory: int
    cpu: float
    threads: int
    files: int
    answers: int | None = None


def line_of(sample: Sample) -> str:
    return json.dumps(dataclasses.asdict(sample), separators=(",", ":")) + "\n"


def read(directory: Path) -> tuple[Sample, ...]:
    """All samples of a run directory; none where nobody sampled."""
    return tuple(_samples(directory / FILE))


def _samples(path: Path) -> Iterator[Sample]:
    try:
        with path.open() as file:
            for line in file:
                if line.endswith("\n"):
                    yield Sample(**json.loads(line))
    except FileNotFoundError:
        return
