"""How many requests were due, failed and were bad in each tenth of a second of a span.

Bad is what did not meet one of the levels of being served well; all that is said of a fault's
impact, and the search for change points, is made from these counts and no longer needs the rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.measure.recovery import Level
from harness.measure.requests import Bools, Box, Ints, Part, Requests, before

STEP_S = 0.1


@dataclass(frozen=True, eq=False)
class Tally:
    """Bins of `step_s` from `start_s` on; `missed[n]` counts those that missed level n, and `bad`
    those that missed any. `first_bad_s` is when the first bad one was due.
    """

    start_s: float
    step_s: float
    due: Ints
    failed: Ints
    bad: Ints
    missed: tuple[Ints, ...]
    first_bad_s: float | None

    @property
    def count(self) -> int:
        return int(self.due.sum())

    def coarser(self, most: int) -> Tally:
        """The same in at most so many bins."""
        by = max(1, math.ceil(len(self.due) / most))
        return Tally(
            self.start_s, self.step_s * by, _grouped(self.due, by), _grouped(self.failed, by),
            _grouped(self.bad, by), tuple(_grouped(missed, by) for missed in self.missed),
            self.first_bad_s,
        )  # fmt: skip


def tally(requests: Requests, levels: Sequence[Level], start_s: float, end_s: float) -> Tally:
    """Count those due in the span."""
    bins = max(1, math.ceil((end_s - start_s) / STEP_S - 1e-9))
    counts = np.zeros((3 + len(levels), bins), np.int64)
    first: float | None = None
    for part in requests.within(Box(due_from=start_s, due_to=before(end_s))).parts():
        numbers = np.minimum(((part.due - start_s) / STEP_S + 1e-9).astype(np.int64), bins - 1)
        kinds = _kinds(part, levels)
        counts += np.array([np.bincount(numbers[kind], minlength=bins) for kind in kinds])
        first = _first(part, kinds[2]) if first is None else first
    due, failed, bad, *missed = counts
    return Tally(start_s, STEP_S, due, failed, bad, tuple(missed), first)


def _kinds(part: Part, levels: Sequence[Level]) -> list[Bools]:
    """Masks: all, failed, bad, and those that missed each level."""
    missed = [~part.good | (part.latency > level.slower_than_s) for level in levels]
    bad: Bools = np.logical_or.reduce([~part.good, *missed])
    return [np.ones(len(part), bool), ~part.good, bad, *missed]


def _first(part: Part, chosen: Bools) -> float | None:
    return float(part.due[chosen][0]) if chosen.any() else None


def _grouped(counts: Ints, by: int) -> Ints:
    padded = np.concatenate([counts, np.zeros(-len(counts) % by, np.int64)])
    summed: Ints = padded.reshape(-1, by).sum(axis=1)
    return summed
