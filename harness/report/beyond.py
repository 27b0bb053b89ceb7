"""From evidence to the part of a record that is measured beyond the objectives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from harness.measure import amplification, impact, names
from harness.measure.evidence import Evidence
from harness.measure.resources import UNITS, Used
from harness.report.measured import Amplification, Impact, Name, Resource, Usage

#: More points than this nobody sees in a small chart.
MOST_POINTS = 600


def impacts_of(evidence: Evidence) -> tuple[Impact, ...]:
    return tuple(map(_impact, impact.impacts(evidence)))


def _impact(told: impact.Impact) -> Impact:
    return Impact(
        told.intervention, told.after_s, told.bad, told.failed, told.count, told.bad_seconds,
        told.lost, told.healed_s, told.changed_s, told.disagrees, told.by_itself, told.recovered,
        told.budget.target, told.budget.share, told.budget.most,
    )  # fmt: skip


def amplifications_of(evidence: Evidence) -> tuple[Amplification, ...]:
    return tuple(
        Amplification(a.service, a.window, a.per_request, a.baseline, a.ratio)
        for a in amplification.amplifications(evidence)
    )


def names_of(evidence: Evidence) -> tuple[Name, ...]:
    return tuple(Name(**dataclasses.asdict(line)) for line in names.names_table(evidence))


def resources_of(evidence: Evidence) -> tuple[Resource, ...]:
    """A line for each service and window that has samples."""
    return tuple(_resources(evidence))


def _resources(evidence: Evidence) -> Iterator[Resource]:
    for service in evidence.resources.services:
        for window in evidence.windows.all:
            span = (window.start_s, window.end_s)
            levels = {i: evidence.resources.level(i, service, *span) for i in UNITS}
            known = {i: level for i, level in levels.items() if level is not None}
            if len(known) == len(UNITS):
                yield Resource(service, window.name, **known)


def usages_of(evidence: Evidence) -> tuple[Usage, ...]:
    """Every indicator of every replica over time."""
    return tuple(
        Usage(used.service, used.replica, indicator, unit, _points(used, indicator))
        for indicator, unit in UNITS.items()
        for used in evidence.resources.replicas
    )


def _points(used: Used, indicator: str) -> tuple[tuple[float, float], ...]:
    step = max(1, math.ceil(len(used.at) / MOST_POINTS))
    pairs = zip(used.at[::step].tolist(), used.values[indicator][::step].tolist(), strict=True)
    return tuple((round(at, 2), value) for at, value in pairs)
