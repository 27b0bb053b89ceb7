"""A run cut into bins of equal length: counts and quantiles of each, from parts in order.

Only the latencies of the bin that is still filling are kept.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from harness.load.recording import Outcome
from harness.measure.observation import Floats, Ints, Part
from harness.measure.statistics import quantile


class Bins:
    """`asked` were due in each bin, `reached` ended well in it; `errors` by outcome, when due."""

    def __init__(self, start_s: float, step_s: float, bins: int) -> None:
        self._start_s = start_s
        self._step_s = step_s
        self._bins = bins
        self.asked: Ints = np.zeros(bins, np.int64)
        self.reached: Ints = np.zeros(bins, np.int64)
        self.errors: dict[Outcome, Ints] = {kind: np.zeros(bins, np.int64) for kind in Outcome}
        self.p50_s = [float("nan")] * bins
        self.p99_s = [float("nan")] * bins
        self._filling: tuple[Ints, Floats] = np.empty(0, np.int64), np.empty(0)

    def add(self, part: Part) -> None:
        due, ended = self._numbers(part.due), self._numbers(part.ended)
        self.asked += self._counts(due)
        self.reached += self._counts(ended[part.good])
        self._fail(part, due)
        numbers = np.concatenate([self._filling[0], due])
        latency = np.concatenate([self._filling[1], part.latency])
        whole = int(np.searchsorted(numbers, numbers[-1])) if len(numbers) else 0
        self._fill(numbers[:whole], latency[:whole])
        inside = numbers < self._bins
        inside[:whole] = False
        self._filling = numbers[inside], latency[inside]

    def finish(self) -> None:
        self._fill(*self._filling)

    def _numbers(self, times: Floats) -> Ints:
        """Each time's bin. What lies before the first is put into it, after the last into one
        more.
        """
        numbers = np.floor((times - self._start_s) / self._step_s + 1e-9).astype(np.int64)
        return np.clip(numbers, 0, self._bins)

    def _counts(self, numbers: Ints) -> Ints:
        return np.bincount(numbers, minlength=self._bins + 1)[: self._bins]

    def _fail(self, part: Part, due: Ints) -> None:
        """An answer that came after its timeout is one."""
        failed = np.flatnonzero(~part.good)
        outcome = part.outcome[failed]
        outcome[outcome == Outcome.OK] = Outcome.TIMEOUT
        for kind in np.unique(outcome):
            self.errors[Outcome(kind)] += self._counts(due[failed[outcome == kind]])

    def _fill(self, numbers: Ints, latency: Floats) -> None:
        """Quantiles of bins of which all requests are here."""
        bins = np.unique(numbers[numbers < self._bins])
        edges = np.searchsorted(numbers, np.append(bins, self._bins))
        for number, (first, last) in zip(bins, pairwise(edges), strict=True):
            self.p50_s[number] = quantile(latency[first:last], 0.5)
            self.p99_s[number] = quantile(latency[first:last], 0.99)
