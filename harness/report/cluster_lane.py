"""What the cluster saw, as rows over the time axis of the timeline: pods, workloads, nodes.

Each row is a thing, its spans are its states. What was as it should be all the time has no row,
unless it is a pod of the system. Where nobody saw the cluster has a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.report import words
from harness.report.record import Record, Sighting
from harness.report.svg import Axis

_ROWS = 24
_GOOD = ("ready", "whole")
_KINDS = ("watch", "workload", "pod", "node")
#: Then there is nothing to be drawn.
_NOTHING = ("absent", "back", "never")


@dataclass(frozen=True)
class Span:
    """Places in per cent of the width."""

    left: float
    width: float
    state: str
    says: str


@dataclass(frozen=True)
class Row:
    label: str
    kind: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class ClusterLane:
    rows: tuple[Row, ...]
    left_out: int


def cluster_lane(record: Record, x: Axis) -> ClusterLane | None:
    """None where nobody looked."""
    of: dict[tuple[str, str], list[Sighting]] = {}
    for seen in record.cluster:
        if seen.kind in _KINDS:
            of.setdefault((seen.kind, seen.name), []).append(seen)
    rows = [_row(key, seen, x) for key, seen in of.items() if _worth(key[0], seen)]
    rows = sorted((row for row in rows if row.spans), key=_order)
    return ClusterLane(tuple(rows[:_ROWS]), max(0, len(rows) - _ROWS)) if rows else None


def _worth(kind: str, seen: list[Sighting]) -> bool:
    if kind == "pod":
        return any(s.service for s in seen)
    if kind == "workload" and not any(s.service for s in seen):
        return False
    return any(s.state not in (*_GOOD, *_NOTHING) for s in seen)


def _order(row: Row) -> tuple[int, str]:
    return _KINDS.index(row.kind), row.label


def _row(key: tuple[str, str], seen: list[Sighting], x: Axis) -> Row:
    return Row(key[1], key[0], tuple(_spans(seen, x)))


def _spans(seen: list[Sighting], x: Axis) -> Iterator[Span]:
    ends = [*(later.at_s for later in seen[1:]), x.high]
    for now, end in zip(seen, ends, strict=True):
        if now.state not in _NOTHING and end > x.low and now.at_s < x.high:
            left, right = x.share(now.at_s) * 100, x.share(end) * 100
            says = f"{now.says}, {words.span(max(now.at_s, x.low), end)}"
            yield Span(left, right - left, now.state, says)
