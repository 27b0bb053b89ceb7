"""A selftest from its choice of faults to its report: rehearse each, then shoot.

One that was interrupted is resumed from its report: what it showed is kept, the rest is taken.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.selftest.campaign import Campaign, campaign, offered
from harness.selftest.cells import cells_of, full, quick
from harness.selftest.ground import Ground
from harness.selftest.progress import Counting
from harness.selftest.report import Report
from harness.selftest.results import Cell, Shot
from harness.selftest.victims import NAMES


@dataclass(frozen=True)
class Asked:
    """`victims`: only these, or (none) all. `home`: an empty directory for the runs; those that
    left something stay there. `before`: the report of an interrupted selftest of the same choice
    and seed."""

    kinds: tuple[str, ...]
    victims: tuple[str, ...]
    everything: bool
    seed: int
    at_once: int
    home: Path
    before: Report | None = None


def conduct(asked: Asked, ground: Ground, counting: Counting) -> Report:
    begin = time.monotonic()
    before = asked.before or Report(asked.seed, ground.lease_s, 0.0, 0, (), (), ())
    answers = list(offered(asked.kinds, ground, asked.home))
    there = [cell for cell, why in answers if not why]
    with campaign(ground, asked.home, asked.at_once) as taking:
        rehearsals, interrupted = _rehearsed(there, before, taking, counting)
        cells = [c for c in cells_of(rehearsals) if c.victim in (asked.victims or NAMES)]
        shots = before.hits
        if not interrupted:
            chosen = _chosen(asked, ground, cells)
            more, interrupted = _shot(chosen, before, taking, counting)
            shots += more
    return Report(
        seed=asked.seed, lease_s=ground.lease_s, deadline_s=ground.deadline_s,
        took_s=before.took_s + time.monotonic() - begin, notes=ground.notes,
        cells=len(cells), rehearsals=rehearsals, shots=shots, interrupted=interrupted,
        not_offered=tuple((c.fault, c.substrate, why) for c, why in answers if why),
    )  # fmt: skip


def _rehearsed(
    there: list[Cell], before: Report, taking: Campaign, counting: Counting
) -> tuple[tuple[Shot, ...], bool]:
    """In the order of `there`, so that one seed makes one choice."""
    kept = {shot.cell: shot for shot in before.rehearsals if shot.hit or shot.bad}
    new = [cell for cell in there if cell not in kept]
    rehearsing = counting.over("rehearsing", taking.rehearse(new), len(new))
    made, interrupted = _until_interrupted(rehearsing)
    found = [*(kept[cell] for cell in there if cell in kept), *made]
    return tuple(sorted(found, key=lambda shot: there.index(shot.cell))), interrupted


def _chosen(asked: Asked, ground: Ground, cells: list[Cell]) -> list[Cell]:
    """Those that take the whole ground come last."""
    chance = random.Random(asked.seed)
    taken = full(cells, chance) if asked.everything else quick(cells, ground.quick, chance)
    return sorted(taken, key=lambda cell: cell.victim in ground.alone)


def _shot(
    chosen: list[Cell], before: Report, taking: Campaign, counting: Counting
) -> tuple[tuple[Shot, ...], bool]:
    rest = list((Counter(chosen) - Counter(shot.cell for shot in before.hits)).elements())
    return _until_interrupted(counting.over("killing", taking.shoot(rest), len(rest)))


def _until_interrupted(shots: Iterable[Shot]) -> tuple[tuple[Shot, ...], bool]:
    """What was proved so far counts, and is reported."""
    taken: list[Shot] = []
    try:
        taken.extend(shot for shot in shots)
    except KeyboardInterrupt:
        return tuple(taken), True
    return tuple(taken), False
