"""Judging what a witness saw: does it follow what was asked, look by look and over all looks?

A value is judged in every look (a busy machine may spoil one now and then, never two in a row) and
on average. A share is judged over pooled probes by its interval at 99.99 %: a run may hold many,
and an honest one is to be called invalid hardly ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from harness.record.witness import Witnessed

_Z = 3.89
_SPOILED = 0.2
#: A share that varies is judged in this many parts, so that the witness follows it.
_PARTS = 4


@dataclass(frozen=True)
class Reading:
    """One look at a value. `below` and `above` are how far it may be off, `noise` the standard
    deviation that chance alone gives it."""

    asked: float
    value: float
    below: float
    above: float
    noise: float = 0.0
    samples: int = 1

    @property
    def fits(self) -> bool:
        return self._within(3 * self.noise)

    def _within(self, chance: float) -> bool:
        off = self.value - self.asked
        return -self.below - chance <= off <= self.above + chance


@dataclass(frozen=True)
class Count:
    """`hits` of `of` probes; `own` takes the others' part out of a share, `asked` is without it."""

    asked: float
    hits: int
    of: int
    own: Callable[[float], float] = float


def followed(field: str, unit: str, readings: Sequence[Reading]) -> Witnessed:
    """A value that was read look by look."""
    if not readings:
        return unseen(field, 0.0, unit, "no look could see it")
    values = [reading.value for reading in readings]
    return Witnessed(
        field, _mean([r.asked for r in readings]), _mean(values), unit, min(values), max(values),
        sum(r.samples for r in readings), _mostly(readings) and on_average(readings).fits,
    )  # fmt: skip


def on_average(readings: Sequence[Reading]) -> Reading:
    """All looks as one: chance is smaller by the root of their number."""
    return Reading(
        asked=_mean([r.asked for r in readings]),
        value=_mean([r.value for r in readings]),
        below=_mean([r.below for r in readings]),
        above=_mean([r.above for r in readings]),
        noise=sqrt(sum(r.noise**2 for r in readings)) / len(readings),
        samples=sum(r.samples for r in readings),
    )


def _mostly(readings: Sequence[Reading]) -> bool:
    fits = [reading.fits for reading in readings]
    twice = any(not a and not b for a, b in pairwise(fits))
    return not twice and fits.count(False) <= _SPOILED * len(fits)


def share_of(field: str, counts: Sequence[Count], *, varies: bool = False) -> Witnessed:
    """A share of probes, pooled; for one that varies, part after part."""
    if not sum(count.of for count in counts):
        return unseen(field, 0.0, "share", "no look could see it")
    whole = _pooled(field, counts)
    parts = _split(counts, _PARTS) if varies else []
    fits = all(_pooled(field, part).confirmed for part in parts)
    return Witnessed(**{**vars(whole), "confirmed": bool(whole.confirmed) and fits})


def _pooled(field: str, counts: Sequence[Count]) -> Witnessed:
    of = sum(count.of for count in counts)
    hits = sum(count.hits for count in counts)
    asked = sum(count.asked * count.of for count in counts) / of
    own = counts[len(counts) // 2].own
    value, low, high = (own(bound) for bound in wilson(hits, of))
    confirmed = low <= asked <= high and (hits > 0 or asked <= 0)
    return Witnessed(field, asked, value, "share", low, high, of, confirmed)


def _split(counts: Sequence[Count], parts: int) -> list[Sequence[Count]]:
    size = max(1, -(-len(counts) // parts))
    return [counts[i : i + size] for i in range(0, len(counts), size)]


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """The share and its interval."""
    p, zz = hits / of, _Z * _Z
    middle = (p + zz / (2 * of)) / (1 + zz / of)
    width = _Z * sqrt(p * (1 - p) / of + zz / (4 * of * of)) / (1 + zz / of)
    return p, max(0.0, min(p, middle - width)), min(1.0, max(p, middle + width))


def unseen(
    field: str, asked: float, unit: str, note: str, *, confirmed: bool | None = False
) -> Witnessed:
    """Nothing could be seen of it: not confirmed, or (None) recorded as asked."""
    return Witnessed(field, asked, 0.0, unit, 0.0, 0.0, 0, confirmed, note)


def median(values: Sequence[float]) -> float:
    """As `statistics` has it, whose import takes longer than the rest of a fault."""
    there, middle = sorted(values), len(values) // 2
    return there[middle] if len(there) % 2 else (there[middle - 1] + there[middle]) / 2


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
