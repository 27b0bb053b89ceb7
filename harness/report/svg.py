"""Geometry of charts: numbers to places and paths, without markup.

A drawing is `WIDE` by `HIGH` units and is stretched to whatever room the page has; lines keep their
width by `vector-effect`. So one static chart serves a telephone, a screen and paper, without a
script; its labels are text beside it and are not stretched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDE = 1000.0
HIGH = 100.0

Point = tuple[float, float | None]


@dataclass(frozen=True)
class Axis:
    """From values to shares of the axis: 0 at `low`, 1 at `high`."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return _clip((math.log10(max(value, self.low)) - low) / (high - low))
        return _clip((value - self.low) / (self.high - self.low))

    def ticks(self) -> tuple[float, ...]:
        return _decades(self.low, self.high) if self.log else _round_steps(self.low, self.high)


@dataclass(frozen=True)
class Frame:
    """A drawing's two axes."""

    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> str:
        return f"{self.x.share(x) * WIDE:.1f} {self.down(y):.1f}"

    def down(self, y: float) -> float:
        return (1 - self.y.share(y)) * HIGH

    def line(self, points: Iterable[Point]) -> str:
        """A line through the points; None breaks it, a point alone becomes a dot."""
        parts: list[str] = []
        pen = "M"
        for x, y in points:
            if y is None:
                pen = "M"
                continue
            parts.append(f"{pen}{self.place(x, y)}" + ("h0" if pen == "M" else ""))
            pen = "L"
        return "".join(parts)

    def steps(self, starts: Sequence[float], values: Sequence[float | None], width: float) -> str:
        """Level pieces, one for each bin, joined; None breaks the line."""
        points: list[Point] = []
        for start, value in zip(starts, values, strict=True):
            points += [(start, value), (start + width, value)]
        return self.line(points)

    def bars(
        self, starts: Sequence[float], tops: Sequence[float], bottoms: Sequence[float], width: float
    ) -> str:
        """A rectangle for each bin that has any height."""
        wide = self.x.share(self.x.low + width) * WIDE * 0.86
        parts = []
        for start, top, bottom in zip(starts, tops, bottoms, strict=True):
            if top > bottom:
                left, high, low = self.x.share(start) * WIDE, self.down(top), self.down(bottom)
                parts.append(f"M{left:.1f} {low:.1f}V{high:.1f}h{wide:.1f}V{low:.1f}z")
        return "".join(parts)

    def pieces(self, spans: Iterable[tuple[float, float, float]]) -> str:
        """Level pieces (from, to, value), not joined."""
        return "".join(
            f"M{self.place(begin, y)}H{self.x.share(end) * WIDE:.1f}" for begin, end, y in spans
        )


def linear(values: Iterable[float], at_least: float = 0.0) -> Axis:
    """From 0 to a round number above all values."""
    top = max((v for v in values if math.isfinite(v)), default=0.0)
    top = max(top * 1.08, at_least) or 1.0
    step = _step(top)
    return Axis(0.0, math.ceil(top / step - 1e-9) * step)


def decades(values: Iterable[float]) -> Axis:
    """Whole decades around all values."""
    known = [v for v in values if math.isfinite(v) and v > 0] or [1.0]
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known) * 1.02))
    return Axis(10.0**low, 10.0 ** max(high, low + 1), log=True)


def _clip(share: float) -> float:
    return min(1.0, max(0.0, share))


def _step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into about four."""
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)


def _round_steps(low: float, high: float) -> tuple[float, ...]:
    step = _step(high - low)
    first = math.ceil(low / step - 1e-9)
    return tuple(n * step for n in range(first, math.floor(high / step + 1e-9) + 1))


def _decades(low: float, high: float) -> tuple[float, ...]:
    first, last = round(math.log10(low)), round(math.log10(high))
    return tuple(10.0**n for n in range(first, last + 1))
