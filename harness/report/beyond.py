"""From evidence to the part of a record that is measured beyond the objectives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from harness.measure import amplification, impact, names
from harness.measure.evidence import Evidence
from harness.measure.resources import UNITS, Used
from harness.record import crossing
from harness.report.measured import (
    Amplification,
    Crossing,
    Impact,
    Leg,
    Name,
    Resource,
    Usage,
)

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


def crossing_of(told: crossing.Crossing | None) -> Crossing | None:
    """None where nobody measured."""
    if told is None:
        return None
    answered = [(pair.here_answered, pair.there_answered) for pair in told.pairs]
    connected = [(pair.here_connected, pair.there_connected) for pair in told.pairs]
    legs = {"first byte": answered} if told.forwarded else {
        "connect": connected, "first byte": answered
    }  # fmt: skip
    return Crossing(
        told.service, told.url, told.beside, len(told.pairs),
        tuple(_leg(what, pairs) for what, pairs in legs.items() if pairs), told.lacking,
    )  # fmt: skip


def _leg(what: str, pairs: list[tuple[float, float | None]]) -> Leg:
    here = [mine for mine, _ in pairs]
    beside = [other for _, other in pairs if other is not None]
    added = [mine - other for mine, other in pairs if other is not None]
    return Leg(what, *_middle_and_last(here), *_middle_and_last(beside), *_middle_and_last(added))


def _middle_and_last(seconds: list[float]) -> tuple[Any, Any]:
    """P50 and P99 in milliseconds; of less than 100 the latter is the largest."""
    if not seconds:
        return None, None
    ordered = sorted(seconds)
    ranks = (math.ceil(share * len(ordered)) - 1 for share in (0.5, 0.99))
    p50, p99 = (round(ordered[rank] * 1e3, 4) for rank in ranks)
    return p50, p99


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
