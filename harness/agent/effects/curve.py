"""A number over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass(frozen=True)
class Curve:
    """A number over time: `points` are (seconds since the inject, value), the first at 0.

    Before the first and after the last point the nearest value holds. `smooth` joins points by
    straight lines; otherwise each value holds until the next point. With `every` the points begin
    anew each time so many seconds have passed.
    """

    points: Tuple[Tuple[float, float], ...]
    smooth: bool = True
    every: float = 0.0

    @classmethod
    def constant(cls, value: float) -> Curve:
        return cls(((0.0, value),))

    @property
    def is_constant(self) -> bool:
        return all(value == self.points[0][1] for _, value in self.points)

    @property
    def peak(self) -> float:
        return max(value for _, value in self.points)

    def at(self, t_s: float) -> float:
        if self.every and t_s > 0:
            t_s %= self.every
        before = self.points[0]
        for point in self.points:
            if point[0] > t_s:
                return self._between(before, point, t_s) if t_s > before[0] else before[1]
            before = point
        return before[1]

    def _between(self, a: Tuple[float, float], b: Tuple[float, float], t_s: float) -> float:
        if not self.smooth:
            return a[1]
        return a[1] + (b[1] - a[1]) * (t_s - a[0]) / (b[0] - a[0])

    def mean(self, begin_s: float, end_s: float, steps: int = 50) -> float:
        """The average over a span (midpoint rule), for comparison with a probe's interval."""
        if self.is_constant or end_s <= begin_s:
            return self.at(begin_s)
        width = (end_s - begin_s) / steps
        return sum(self.at(begin_s + (i + 0.5) * width) for i in range(steps)) / steps
