"""Asked against seen for one effect: what the file wanted as a line, each look of the witness as a
piece as long as the look took.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.report import words
from harness.report.record import Effect, Track
from harness.report.svg import Axis, Frame, linear
from harness.report.timeline import Shape, Tick


@dataclass(frozen=True)
class FaultChart:
    title: str
    shapes: tuple[Shape, ...]
    ticks: tuple[Tick, ...]
    begin: str
    end: str
    says: str


def charts_of(effect: Effect) -> tuple[FaultChart, ...]:
    return tuple(_chart(track) for track in effect.tracks if track.asked and track.seen)


def _chart(track: Track) -> FaultChart:
    times = [t for t, _ in track.asked] + [t for begin, end, _ in track.seen for t in (begin, end)]
    begin, end = min(times), max(times)
    values = [v for _, v in track.asked] + [v for _, _, v in track.seen]
    frame = Frame(Axis(begin, max(end, begin + 0.1)), linear(values))
    seen = [v for _, _, v in track.seen]
    low, high = (words.quantity(end, track.unit) for end in (min(seen), max(seen)))
    return FaultChart(
        title=track.field,
        shapes=(
            Shape("asked", frame.line(track.asked), "asked"),
            Shape("seen", frame.pieces(track.seen), "seen"),
        ),
        ticks=tuple(
            Tick((1 - frame.y.share(t)) * 100, words.quantity(t, track.unit))
            for t in (0.0, frame.y.high)
        ),
        begin=f"{begin:.1f} s",
        end=f"{end:.1f} s",
        says=f"{track.field}: {words.plural(len(seen), 'look')}, seen from {low} to {high}.",
    )
