"""How much less a count of failures says because failures come in bursts.

Bounds assume that requests fail independently of each other. An outage of two seconds is one
event, not four hundred. Where failures lie closer together than chance puts them, those near each
other are one burst, and the design effect (L. Kish, Survey Sampling, 1965) says by how much both
counts shrink: the sum of the squared sizes over the sum of the sizes, 1 where each stands alone.
What no failure of the run has shown, this cannot know either: rare outages need long runs.
"""

from __future__ import annotations

import math

import numpy as np

from harness.measure.observation import Bools, Ints, Part, Requests

#: Gaps are looked at that are so much shorter than the average one.
_CLOSER = (1000, 100, 10)
#: It is no chance when chance alone would do it as rarely as this.
_CHANCE = 0.005
#: More failures than this are not looked at: what bursts there are, these show.
_MOST = 1_000_000
_ROUNDS = 20


def design_effect(requests: Requests, slower_than_s: float = math.inf) -> float:
    """1 for independent failures, larger the more they cling together."""
    return design_of(_failures(requests, slower_than_s), len(requests))


def design_of(places: Ints, count: int) -> float:
    """The same of failures at these places among so many requests."""
    if not _clings(np.diff(places), count / max(len(places), 1)):
        return 1.0
    sizes = _bursts(places, count)
    return float((sizes**2).sum() / sizes.sum())


def _clings(gaps: Ints, average: float) -> bool:
    """Whether more failures follow each other closely than chance explains."""
    return any(_chance_of(gaps, average, average / closer) < _CHANCE for closer in _CLOSER)


def _chance_of(gaps: Ints, average: float, near: float) -> float:
    """How likely chance gives as many gaps no longer than `near`: each is geometric."""
    from scipy.special import bdtrc

    close = int(np.count_nonzero(gaps <= near))
    each = 1 - (1 - 1 / max(average, 1.0)) ** math.floor(near)
    return float(bdtrc(close - 1, len(gaps), each)) if close else 1.0


def _failures(requests: Requests, slower_than_s: float) -> Ints:
    """The numbers of the bad requests, counted by when they were due."""
    found, seen, begun = [np.empty(0, np.int64)], 0, 0
    for part in requests.parts():
        found.append(begun + np.flatnonzero(_bad(part, slower_than_s)))
        begun, seen = begun + len(part), seen + len(found[-1])
        if seen > _MOST:
            break
    return np.concatenate(found)


def _bad(part: Part, slower_than_s: float) -> Bools:
    return ~part.good if math.isinf(slower_than_s) else part.latency > slower_than_s


def _bursts(places: Ints, count: int) -> Ints:
    """The sizes of the bursts. Fewer bursts lie further apart, so it is looked again until they
    stay as they are.
    """
    gaps, bursts = np.diff(places), len(places)
    ends = np.arange(len(places))
    for _ in range(_ROUNDS):
        near = count / bursts / _CLOSER[-1]
        ends = np.append(np.flatnonzero(gaps > near), len(places) - 1)
        if len(ends) == bursts:
            break
        bursts = len(ends)
    return np.diff(np.append(-1, ends))
