"""The timeline of a run: lanes over one time axis, with the faults across all of them.

What to draw, as values; `templates/timeline.html.j2` draws it. Places are per cent of the width or
height of a lane.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.report import words
from harness.report.bands import Band, bands_of
from harness.report.cluster_lane import ClusterLane, cluster_lane
from harness.report.record import Record, Series
from harness.report.svg import Axis, Frame, decades, linear


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Shape:
    """`style` is a class of the style sheet; `label` and `note` its line of the legend."""

    style: str
    path: str
    label: str = ""
    note: str = ""


@dataclass(frozen=True)
class Lane:
    """`name` is for a machine, `title` for a person; `says` tells it to those who cannot see."""

    name: str
    title: str
    unit: str
    shapes: tuple[Shape, ...]
    ticks: tuple[Tick, ...]
    says: str


@dataclass(frozen=True)
class Mark:
    """`of` is whose view it is."""

    at: float
    label: str
    of: str = "clients"


@dataclass(frozen=True)
class Column:
    """One line of numbers behind the lanes, for the crosshair."""

    label: str
    unit: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Timeline:
    lanes: tuple[Lane, ...]
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    start_s: float
    step_s: float
    end_s: float
    columns: tuple[Column, ...]
    cluster: ClusterLane | None = None

    @property
    def rows(self) -> int:
        return 1 + max((band.row for band in self.bands), default=-1)


def timeline_of(record: Record) -> Timeline | None:
    """None where nothing was measured."""
    series = record.series
    if series is None or not series.asked:
        return None
    end = series.start_s + series.step_s * len(series.asked)
    x = Axis(series.start_s, end)
    return Timeline(
        lanes=(
            _load(series, x),
            _latency(record, series, x, log=True),
            _latency(record, series, x, log=False),
            _errors(series, x),
        ),
        bands=bands_of(record.effects, x),
        marks=tuple(_marks(record, x)),
        ticks=tuple(Tick(x.share(t) * 100, _second(t)) for t in x.ticks()),
        start_s=series.start_s,
        step_s=series.step_s,
        end_s=end,
        columns=_columns(series),
        cluster=cluster_lane(record, x),
    )


def _load(series: Series, x: Axis) -> Lane:
    known = [v for v in (*series.asked, *series.reached) if v is not None]
    frame = Frame(x, linear(known))
    starts = _starts(series)
    top = max((v for v in series.reached if v is not None), default=0.0)
    asked = max((v for v in series.asked if v is not None), default=0.0)
    return Lane(
        "load",
        "Load",
        "requests per second",
        (
            Shape("reached", frame.steps(starts, series.reached, series.step_s), "answered well"),
            Shape("asked", frame.steps(starts, series.asked, series.step_s), "asked"),
        ),
        _ticks(frame.y, "/s"),
        f"Up to {words.rate(asked)} asked, up to {words.rate(top)} answered well.",
    )


def _latency(record: Record, series: Series, x: Axis, *, log: bool) -> Lane:
    latencies = [o for o in record.objectives if o.indicator == "latency" and o.unit == "s"]
    limits = [o for o in latencies if o.limit > 0]
    known = [v for v in (*series.p50_ms, *series.p99_ms) if v is not None]
    known += [o.limit * 1e3 for o in limits]
    frame = Frame(x, decades(known) if log else linear(known))
    middle = [start + series.step_s / 2 for start in _starts(series)]
    p99 = frame.line(zip(middle, series.p99_ms, strict=True))
    p50 = frame.line(zip(middle, series.p50_ms, strict=True))
    # The line stands where it was judged, under its own words: it may be of one request's name.
    drawn = tuple(
        Shape("limit", frame.pieces([(o.start_s, o.end_s, o.limit * 1e3)]), o.text) for o in limits
    )
    failed = any(v is not None and math.isinf(v) for v in series.p99_ms)
    return Lane(
        "latency-log" if log else "latency-linear",
        "Latency",
        "milliseconds from when due" + (", logarithmic" if log else ""),
        (
            Shape("p99", p99, "P99 (top edge: failed)" if failed else "P99"),
            Shape("p50", p50, "P50"),
            *drawn,
        ),
        _ticks(frame.y, "ms"),
        _highest(series),
    )


def _highest(series: Series) -> str:
    finite = [v for v in series.p99_ms if v is not None and math.isfinite(v)]
    beyond = sum(v is not None and math.isinf(v) for v in series.p99_ms)
    highest = f"The highest P99 is {words.milliseconds(max(finite, default=None))}."
    if not beyond:
        return highest
    return f"{highest} In {words.plural(beyond, 'bin')} it lies among the failures."


def _errors(series: Series, x: Axis) -> Lane:
    floor = [0.0] * len(series.asked)
    tops: list[tuple[str, list[float], list[float], int]] = []
    for name, counts in series.errors:
        top = [low + count / series.step_s for low, count in zip(floor, counts, strict=True)]
        tops.append((name, top, floor, sum(counts)))
        floor = top
    frame = Frame(x, linear(floor, at_least=1.0))
    shapes = tuple(
        Shape(
            f"error error-{n % 5}",
            frame.bars(_starts(series), top, low, series.step_s),
            name,
            f"{total:,}",
        )
        for n, (name, top, low, total) in enumerate(tops)
        if total
    )
    said = ", ".join(f"{total:,} {name}" for name, _, _, total in tops if total)
    return Lane(
        "errors",
        "Failures",
        "per second",
        shapes,
        _ticks(frame.y, "/s") if shapes else (),
        f"{said}." if said else "No request failed.",
    )


def _marks(record: Record, x: Axis) -> Iterable[Mark]:
    for recovery in record.recoveries:
        if recovery.at_s is not None:
            yield Mark(x.share(recovery.at_s) * 100, f"{recovery.intervention}: {recovery.says}")
        if recovery.controllers_at_s is not None:
            says = f"{recovery.intervention}, controllers: {recovery.controllers_say}"
            yield Mark(x.share(recovery.controllers_at_s) * 100, says, "controllers")


def _columns(series: Series) -> tuple[Column, ...]:
    return (
        Column("asked", "/s", series.asked),
        Column("answered well", "/s", series.reached),
        Column("P50", "ms", series.p50_ms),
        Column("P99", "ms", series.p99_ms),
        *(Column(name, "failed", counts) for name, counts in series.errors),
    )


def _starts(series: Series) -> list[float]:
    return [series.start_s + n * series.step_s for n in range(len(series.asked))]


def _ticks(axis: Axis, unit: str) -> tuple[Tick, ...]:
    return tuple(Tick((1 - axis.share(t)) * 100, _label(t, unit)) for t in axis.ticks())


def _label(value: float, unit: str) -> str:
    if unit == "ms" and value >= 1000:
        return f"{value / 1000:g} s"
    return f"{value:g} ms" if unit == "ms" else f"{value:,g}"


def _second(value: float) -> str:
    if abs(value) < 600:
        return f"{value:g} s"
    return f"{math.trunc(value / 60)}:{abs(value) % 60:02.0f} min"
