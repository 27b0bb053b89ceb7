"""A selftest from its choice of faults to its report: rehearse each, then shoot."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.selftest.campaign import campaign, offered
from harness.selftest.cells import cells_of, full, quick
from harness.selftest.progress import Counting
from harness.selftest.report import Report
from harness.selftest.results import Shot

LEASE_S = 1.0
_QUICK = 100


@dataclass(frozen=True)
class Asked:
    """`home`: an empty directory for the runs; those that left something stay there."""

    kinds: tuple[str, ...]
    everything: bool
    seed: int
    at_once: int
    home: Path


def conduct(asked: Asked, counting: Counting) -> Report:
    begin, chance = time.monotonic(), random.Random(asked.seed)
    answers = list(offered(asked.kinds, asked.home))
    there = [cell for cell, why in answers if not why]
    with campaign(asked.home, LEASE_S, asked.at_once) as taking:
        rehearsed = counting.over("rehearsing", taking.rehearse(there), len(there))
        rehearsals = tuple(sorted(rehearsed, key=lambda shot: there.index(shot.cell)))
        cells = cells_of(rehearsals)
        chosen = full(cells, chance) if asked.everything else quick(cells, _QUICK, chance)
        shots, interrupted = _until_interrupted(
            counting.over("killing", taking.shoot(chosen), len(chosen))
        )
    return Report(
        seed=asked.seed, lease_s=LEASE_S, took_s=time.monotonic() - begin, cells=len(cells),
        rehearsals=rehearsals, shots=shots, interrupted=interrupted,
        not_offered=tuple((c.fault, c.substrate, why) for c, why in answers if why),
    )  # fmt: skip


def _until_interrupted(shots: Iterable[Shot]) -> tuple[tuple[Shot, ...], bool]:
    """What was proved so far counts, and is reported."""
    taken: list[Shot] = []
    try:
        taken.extend(shot for shot in shots)
    except KeyboardInterrupt:
        return tuple(taken), True
    return tuple(taken), False
