"""Slides a window over requests and finds the last one that was not fine, in bounded memory.

A window begins at each request and is fine when few enough of the requests due in it are bad, by
each of several levels. Only as many requests as a window is long are kept at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.measure.observation import Bools, Floats, Part, Requests

#: Slower than this many seconds is bad; such a share has to be good.
Limits = Sequence[tuple[float, float]]


@dataclass
class Fine:
    """The first good request from `number` on, counted from 0; `before` and `after` are when its
    neighbours were due. `at` None: there has been none yet.
    """

    number: int = 0
    before: float = math.nan
    at: float | None = None
    after: float = math.nan

    @property
    def gap(self) -> float:
        """The wider of the gaps to its neighbours: no time is known better than that."""
        if self.at is None:
            return 0.0
        gaps = (self.at - self.before, self.after - self.at)
        return max((gap for gap in gaps if not math.isnan(gap)), default=0.0)

    def look(self, due: Floats, bad: Bools) -> None:
        """The requests that follow."""
        if self.at is None:
            due = self._find(due, bad)
        if self.at is not None and math.isnan(self.after) and len(due):
            self.after = float(due[0])

    def _find(self, due: Floats, bad: Bools) -> Floats:
        """What follows the first good one."""
        good = np.flatnonzero(~bad)
        first = int(good[0]) if len(good) else len(due)
        self.number += first
        if first:
            self.before = float(due[first - 1])
        if not len(good):
            return due[:0]
        self.at = float(due[first])
        return due[first + 1 :]


class Scan:
    """`add` parts by when they were due, then `finish`.

    `complete` requests have a whole window before the end, `failed` says that any of those windows
    was not fine, and `fine` is what came after the last such (without one: the first of all).
    """

    def __init__(self, limits: Limits, window_s: float, end_s: float) -> None:
        self._limits = limits
        self._window_s = window_s
        self._end_s = end_s
        self._due: Floats = np.empty(0)
        self._bads = np.empty((len(limits), 0), bool)
        self.count = self.bad = self.complete = 0
        self.impact: float | None = None
        self.last_due = math.nan
        self.failed = False
        self.fine = Fine()

    def add(self, part: Part) -> None:
        if not len(part):
            return
        due = part.due
        bads = np.array([part.latency > slow for slow, _ in self._limits]) | ~part.good
        bad = _any(bads)
        self.fine.look(due, bad if self.failed else np.zeros(len(due), bool))
        self._note(due, bad)
        self._due = np.concatenate([self._due, due])
        self._bads = np.concatenate([self._bads, bads], axis=1)
        self._decide(min(self.last_due - self._window_s, self._last_begin))

    def finish(self) -> None:
        if self.count:
            self._decide(self._last_begin)

    @property
    def _last_begin(self) -> float:
        return self._end_s - self._window_s

    def _note(self, due: Floats, bad: Bools) -> None:
        if self.impact is None and bad.any():
            self.impact = float(due[bad][0])
        self.count += len(due)
        self.bad += int(np.count_nonzero(bad))
        self.complete += int(np.searchsorted(due, self._last_begin, side="right"))
        self.last_due = float(due[-1])

    def _decide(self, last_begin: float) -> None:
        """Judge the windows that begin until then: all of their requests are here."""
        known = int(np.searchsorted(self._due, last_begin, side="right"))
        failing = np.flatnonzero(self._fails(known))
        if len(failing):
            self._again(int(failing[-1]))
        self._due, self._bads = self._due[known:], self._bads[:, known:]

    def _fails(self, known: int) -> Bools:
        begins = np.searchsorted(self._due, self._due[:known])  # equal instants have no order
        ends = np.searchsorted(self._due, self._due[:known] + self._window_s)
        fails = np.zeros(known, bool)
        for bad, (_, share) in zip(self._bads, self._limits, strict=True):
            count = np.concatenate([[0], np.cumsum(bad)])
            fails |= count[ends] - count[begins] > (1 - share) * (ends - begins) + 1e-9
        return fails

    def _again(self, failing: int) -> None:
        """Its window was not fine: what is fine begins after this request."""
        before = self.count - len(self._due)
        self.failed = True
        self.fine = Fine(before + failing + 1, float(self._due[failing]))
        self.fine.look(self._due[failing + 1 :], _any(self._bads[:, failing + 1 :]))


def _any(bads: Bools) -> Bools:
    """Bad by any level."""
    bad: Bools = np.logical_or.reduce(bads, axis=0)
    return bad


def scanned(requests: Requests, limits: Limits, window_s: float, end_s: float) -> Scan:
    scan = Scan(limits, window_s, end_s)
    for part in requests.parts():
        scan.add(part)
    scan.finish()
    return scan
