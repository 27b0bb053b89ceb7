"""The faults as bands over the time axis, stacked where they, or their names, would overlap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.report import words
from harness.report.record import Effect
from harness.report.svg import Axis

#: Room that a letter of a name takes on a telephone, in per cent of the width.
_LETTER = 2.4
#: A band that begins beyond this has its name to the left of its end.
_LATE = 60.0


@dataclass(frozen=True)
class Band:
    """One intervention, from inject begun to removal witnessed. Places in per cent of the width."""

    label: str
    what: str
    left: float
    width: float
    event: bool
    row: int = 0

    @property
    def late(self) -> bool:
        return self.left > _LATE

    @property
    def room(self) -> tuple[float, float]:
        """From where to where the band and its name reach."""
        right = self.left + self.width
        named = max(self.width, _LETTER * (len(self.label) + 2))
        return (right - named, right) if self.late else (self.left, self.left + named)


def bands_of(effects: Iterable[Effect], x: Axis) -> tuple[Band, ...]:
    """One band for each intervention: the earliest inject to the latest removal of its effects."""
    of: dict[str, list[Effect]] = {}
    for effect in effects:
        if effect.injected_at_s is not None:
            of.setdefault(effect.intervention, []).append(effect)
    return _stacked([_band(name, group, x) for name, group in of.items()])


def _band(name: str, group: list[Effect], x: Axis) -> Band:
    begin, end = _span(group, x.high)
    left = x.share(begin) * 100
    what = f"{group[0].fault} {words.span(begin, end)}"
    return Band(name, what, left, x.share(end) * 100 - left, group[0].event)


def _span(group: list[Effect], latest: float) -> tuple[float, float]:
    """What was never seen gone lasts to the end of the picture."""
    begins = [(e.injected_at_s or 0.0) - (e.inject_ms or 0.0) / 1e3 for e in group]
    ends = [e.gone_at_s if e.gone_at_s is not None else e.reverted_at_s for e in group]
    return min(begins), max(latest if end is None else end for end in ends)


def _stacked(bands: list[Band]) -> tuple[Band, ...]:
    """Each in the first row that has room for it."""
    taken: list[float] = []  # up to where each row is full
    placed = []
    for band in sorted(bands, key=lambda band: band.room):
        begin, end = band.room
        row = next((n for n, full in enumerate(taken) if full <= begin), len(taken))
        taken[row : row + 1] = [end]
        placed.append(Band(band.label, band.what, band.left, band.width, band.event, row))
    return tuple(placed)
