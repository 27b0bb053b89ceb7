"""When the share of bad requests changed, found without a threshold or a window: a cross-check.

The run is cut into the pieces that explain the counts best, each with a share of its own: the
optimum over all ways to cut (binomial likelihood, a price for each cut), by dynamic programming
(Auger and Lawrence, Bull. Math. Biol. 51, 1989; Jackson et al., IEEE SPL 12, 2005). Quadratic in
the bins, so a long run is looked at in coarser ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.measure.requests import Floats, Ints
from harness.measure.tally import Tally

MOST_BINS = 600
#: The price of a cut, times log(bins): it has to beat chance anywhere in the run.
_PRICE = 4.0


@dataclass(frozen=True)
class Piece:
    """Seconds since the epoch, and the share of bad requests in between."""

    start_s: float
    end_s: float
    share: float


def pieces(tallied: Tally) -> tuple[Piece, ...]:
    """The best way to cut the span."""
    bins = tallied.coarser(MOST_BINS)
    edges = _cuts(bins.due, bins.bad)
    return tuple(
        Piece(
            bins.start_s + first * bins.step_s, bins.start_s + last * bins.step_s,
            float(bins.bad[first:last].sum() / max(bins.due[first:last].sum(), 1)),
        )
        for first, last in pairwise(edges)
    )  # fmt: skip


def recovered_s(tallied: Tally, allowed: float) -> float | None:
    """When the last piece with more than the allowed share of bad requests ended; None when there
    is no such piece, or it lasts to the end.
    """
    found = pieces(tallied)
    bad = [piece for piece in found if piece.share > allowed]
    return bad[-1].end_s if bad and bad[-1] is not found[-1] else None


def _cuts(due: Ints, bad: Ints) -> list[int]:
    """Edges of the pieces, from 0 to the number of bins."""
    count = len(due)
    dues, bads = (np.concatenate([[0], np.cumsum(counts)]) for counts in (due, bad))
    price = _PRICE * math.log(max(count, 2))
    best: Floats = np.zeros(count + 1)
    best[0] = -price
    came_from = np.zeros(count + 1, np.int64)
    for end in range(1, count + 1):
        costs = best[:end] + price + _cost(dues[end] - dues[:end], bads[end] - bads[:end])
        came_from[end] = int(np.argmin(costs))
        best[end] = costs[came_from[end]]
    edges = [count]
    while edges[-1]:
        edges.append(int(came_from[edges[-1]]))
    return edges[::-1]


def _cost(count: Ints, bad: Ints) -> Floats:
    """-2 log likelihood of a piece with the share that fits it best; nothing costs nothing."""
    good = count - bad
    return -2 * (_entropy(bad, count) + _entropy(good, count))


def _entropy(part: Ints, count: Ints) -> Floats:
    share = np.divide(part, count, out=np.ones(len(part)), where=(count > 0) & (part > 0))
    return np.asarray(part * np.log(share), np.float64)
