"""What was measured beyond the objectives, as values of the record: impacts, names, resources.

Their fields are those of the JSON report. Only `Usage` is for charts alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that a reader should know, in a sentence. `grave`: he should look into it."""

    kind: str
    about: str
    says: str
    grave: bool = False


@dataclass(frozen=True)
class Impact:
    """What a fault cost its users. `after_s` from the inject to the first bad request; `healed_s`
    from the removal to when users were served well again, negative when that came first, and
    `changed_s` the same by change points; `disagrees` when those differ, `by_itself` when users had
    good answers again while the fault was on. `budget_share` of the failures that `budget_target`
    leaves in 30 days; so many such faults (`budget_most`) fit into them.
    """

    intervention: str
    after_s: float | None
    bad: int
    failed: int
    count: int
    bad_seconds: int
    lost: float
    healed_s: float | None
    changed_s: float | None
    disagrees: bool
    by_itself: bool
    recovered: bool
    budget_target: float
    budget_share: float
    budget_most: int | None


@dataclass(frozen=True)
class Amplification:
    """Messages (TCP segments with data) that a service sent for each request of the clients."""

    service: str
    window: str
    per_request: float
    baseline: float
    ratio: float


@dataclass(frozen=True)
class Leg:
    """One part of a way to the service, in milliseconds: `connect` or `first byte` of an answer, by
    the way of the load (`here`), from beside the pod, and the difference, try by try. None: nobody
    was there to ask."""

    what: str
    here_p50_ms: float
    here_p99_ms: float
    beside_p50_ms: float | None
    beside_p99_ms: float | None
    added_p50_ms: float | None
    added_p99_ms: float | None


@dataclass(frozen=True)
class Crossing:
    """What the way of the load adds, measured before it began in so many `tries`. Nothing of it is
    subtracted anywhere. `beside`: who asked whom without the way; `lacking`: what was not measured,
    and why."""

    service: str
    url: str
    beside: str
    tries: int
    legs: tuple[Leg, ...]
    lacking: str = ""


@dataclass(frozen=True)
class Name:
    """One line of the table by request name, or by tag: then it counts whole tasks."""

    window: str
    kind: str
    name: str
    count: int
    availability: float
    throughput: float
    goodput: float
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Resource:
    """Medians over a window, of the replica that used most; memory in bytes, CPU in cores."""

    service: str
    window: str
    memory: float
    cpu: float
    threads: float
    files: float


@dataclass(frozen=True)
class Usage:
    """One indicator of one replica over time, as (second, value)."""

    service: str
    replica: str
    indicator: str
    unit: str
    points: tuple[tuple[float, float], ...]
