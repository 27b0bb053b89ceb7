"""Small charts of what each service used, over the time axis of the timeline."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report import words
from harness.report.measured import Usage
from harness.report.record import Record
from harness.report.svg import Axis, Frame, linear
from harness.report.timeline import Shape, Tick, Timeline

_TITLES = {
    "memory": "memory", "cpu": "CPU", "threads": "threads", "files": "file descriptors",
}  # fmt: skip


@dataclass(frozen=True)
class UsageChart:
    title: str
    what: str
    shapes: tuple[Shape, ...]
    ticks: tuple[Tick, ...]
    says: str


def usage_charts(record: Record, timeline: Timeline | None) -> tuple[UsageChart, ...]:
    """One for each service and indicator, its replicas as lines of their own."""
    of: dict[tuple[str, str], list[Usage]] = {}
    for usage in record.usages:
        if len(usage.points) > 1:
            of.setdefault((usage.service, usage.indicator), []).append(usage)
    return tuple(_chart(usages, timeline) for _, usages in sorted(of.items(), key=_by_service))


def _by_service(item: tuple[tuple[str, str], list[Usage]]) -> tuple[str, int]:
    service, indicator = item[0]
    return service, list(_TITLES).index(indicator)


def _chart(usages: list[Usage], timeline: Timeline | None) -> UsageChart:
    values = [value for usage in usages for _, value in usage.points]
    times = [at for usage in usages for at, _ in usage.points]
    x = Axis(timeline.start_s, timeline.end_s) if timeline else Axis(min(times), max(times))
    frame, first = Frame(x, linear(values)), usages[0]
    low, high = (words.quantity(end, first.unit) for end in (min(values), max(values)))
    what = _TITLES[first.indicator]
    return UsageChart(
        first.service, what,
        tuple(Shape(f"use use-{n % 4}", frame.line(u.points)) for n, u in enumerate(usages)),
        tuple(Tick((1 - frame.y.share(t)) * 100, words.quantity(t, first.unit))
              for t in (0.0, frame.y.high)),
        f"{what} of {first.service}: from {low} to {high}.",
    )  # fmt: skip
