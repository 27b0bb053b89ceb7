"""Throughput, goodput, availability and latency of each window, by request name and by tag.

A tag is one of Locust's: it stands on tasks, so a line of a tag counts whole tasks (journeys). Two
passes a window; quantiles are of buckets 0.05 % wide, which no digit of a table shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.load.ranks import Histogram
from harness.measure.evidence import Evidence
from harness.measure.requests import Bools, Part, Requests
from harness.measure.statistics import rank_of
from harness.measure.windows import Window

#: The names that occur most have a line; the rest are few, or there is no end of them.
MOST = 20


@dataclass(frozen=True)
class NameSummary:
    """`kind` is name or tag. `throughput` are all that ended in the window each second, failed ones
    too, `goodput` the good ones. Quantiles are infinite where they lie among the failures.
    """

    window: str
    kind: str
    name: str
    count: int
    availability: float
    throughput: float
    goodput: float
    p50_ms: float
    p99_ms: float


Groups = Mapping[str, frozenset[int]]


def names_table(evidence: Evidence) -> tuple[NameSummary, ...]:
    """Window by window; nothing when all requests have one name and no tag."""
    seen = evidence.observation
    names = {seen.names[number]: frozenset({number}) for number in _frequent(seen.requests)}
    tags = {
        tag: frozenset(n for n, name in enumerate(seen.names) if name in tasks)
        for tag, tasks in evidence.tags
    }
    if len(names) < 2 and not tags:
        return ()
    return tuple(
        line
        for window in evidence.windows.all
        for kind, requests, groups in (
            ("name", seen.requests, names), ("tag", seen.journeys, tags),
        )
        for line in _lines(window, kind, requests, groups)
    )  # fmt: skip


def _frequent(requests: Requests) -> list[int]:
    counts = np.zeros(1 << 16, np.int64)
    for part in requests.parts():
        counts += np.bincount(part.name, minlength=1 << 16)
    most = np.argsort(-counts, kind="stable")[:MOST]
    return [int(number) for number in most if counts[number]]


class _Group:
    def __init__(self) -> None:
        self.count = self.good = self.ended = self.ended_well = 0
        self.took = Histogram()

    def ms(self, q: float) -> float:
        rank = rank_of(self.count, q)
        return self.took.at(rank) * 1e3 if rank <= self.good else math.inf


def _lines(window: Window, kind: str, requests: Requests, groups: Groups) -> Iterable[NameSummary]:
    counted = _counted(window, requests, groups) if groups else {}
    for name, group in counted.items():
        if group.count:
            yield NameSummary(
                window.name, kind, name, group.count, group.good / group.count,
                group.ended / window.span_s if window.span_s else 0.0,
                group.ended_well / window.span_s if window.span_s else 0.0,
                group.ms(0.5), group.ms(0.99),
            )  # fmt: skip


def _counted(window: Window, requests: Requests, groups: Groups) -> dict[str, _Group]:
    made = {name: _Group() for name in groups}
    for part in window.choose(requests).parts():
        for name, mine in _split(part, groups):
            took = part.took[mine & part.good]
            made[name].count += int(np.count_nonzero(mine))
            made[name].good += len(took)
            made[name].took.add(took)
    for part in requests.within(window.ended).parts():
        for name, mine in _split(part, groups):
            made[name].ended += int(np.count_nonzero(mine))
            made[name].ended_well += int(np.count_nonzero(mine & part.good))
    return made


def _split(part: Part, groups: Groups) -> Iterator[tuple[str, Bools]]:
    """Which requests of a part are each group's."""
    names = part.rows["name"]
    for name, numbers in groups.items():
        yield (
            name,
            np.logical_or.reduce([names == n for n in numbers] or [np.zeros(len(part), bool)]),
        )
