"""Which shots are taken, from what the rehearsals saw: all, or a sample; one seed, one choice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from harness.selftest.results import Cell, Shot

#: Of a second shot at the same cell: anywhere in what follows the step.
_DELAY_S = 0.3
#: One cell of so many gets such a second shot.
_AGAIN = 10


def cells_of(rehearsals: Iterable[Shot]) -> list[Cell]:
    """Every fault at every step with everybody who lives there."""
    return [
        replace(shot.cell, step=step, victim=victim)
        for shot in rehearsals
        for step, there in shot.seen
        for victim in there
    ]


def full(cells: list[Cell], chance: random.Random) -> list[Cell]:
    """Each cell once, exactly at its step; then some by chance, somewhere after it."""
    more = len(cells) // _AGAIN
    again = (
        replace(chance.choice(cells), delay_s=chance.uniform(0, _DELAY_S)) for _ in range(more)
    )
    taken = [*cells, *again]
    chance.shuffle(taken)  # those that wait long are not all at once
    return taken


def quick(cells: list[Cell], how_many: int, chance: random.Random) -> list[Cell]:
    """So many, and every fault, step and victim at least once: always the cell of which least was
    taken so far."""
    left = list(cells)
    taken: list[Cell] = []
    chance.shuffle(left)
    counts: Counter[str] = Counter()
    uncovered = {part for cell in cells for part in _parts(cell)}
    while left and (len(taken) < how_many or uncovered):
        cell = min(left, key=lambda cell: sorted(counts[part] for part in _parts(cell)))
        left.remove(cell)
        taken.append(cell)
        counts.update(_parts(cell))
        uncovered -= _parts(cell)
    return taken


def _parts(cell: Cell) -> set[str]:
    return {f"{cell.substrate} {cell.fault}", f"step {cell.step}", f"victim {cell.victim}"}
