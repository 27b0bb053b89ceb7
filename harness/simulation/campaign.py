"""Many schedules, in a few processes, and what they came to together."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from harness.simulation.schedule import run_schedule

#: Schedules that a process does at a time.
PORTION = 2000


@dataclass
class Tally:
    """Counts over schedules; `violations`: seed and what was seen, by seed."""

    schedules: int = 0
    crashed: int = 0
    steps: int = 0
    written: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.schedules += other.schedules
        self.crashed += other.crashed
        self.steps += other.steps
        self.written += other.written
        self.troubles.update(other.troubles)
        self.violations = sorted(self.violations + other.violations)


def portion(first: int, count: int) -> Tally:
    """The schedules of `count` seeds from `first` on, in this process."""
    tally = Tally(schedules=count)
    for seed in range(first, first + count):
        try:
            course = run_schedule(seed)
        except Exception as error:  # an engine that raises ends a run in the middle of its faults
            tally.violations.append((seed, f"{type(error).__name__}: {error}"))
        else:
            tally.crashed += course.crashed
            tally.steps += course.steps
            tally.written += course.written
            tally.troubles.update(course.troubles.kinds or ("none",))
    return tally


def campaign(seed: int, schedules: int, processes: int) -> Iterator[Tally]:
    """One tally a portion, as they end."""
    ends = seed + schedules
    portions = ((first, min(PORTION, ends - first)) for first in range(seed, ends, PORTION))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        under_way = [_start(pool, p) for p in islice(portions, 2 * processes)]
        while under_way:
            yield under_way.pop(0).result()
            under_way += [_start(pool, p) for p in islice(portions, 1)]


def _start(pool: Executor, portion_: tuple[int, int]) -> Future[Tally]:
    return pool.submit(portion, *portion_)
