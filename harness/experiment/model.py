"""An experiment as frozen values: what a person wrote, read and checked.

`source.load_experiment` makes these from YAML. Only shapes live here; what the words mean for a
run is decided above (plan, verdict). A fault's own fields are a model of `harness.faults`, which
this room does not know: it arrives as an opaque frozen value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.curves import Varying
from harness.experiment.system_model import Metadata, System
from harness.units import Duration, Rate


@dataclass(frozen=True)
class Closed:
    """So many users, each of whom asks again `think` after its answer, and not before."""

    users: int
    think: Duration = Duration(0)


@dataclass(frozen=True)
class Arrivals:
    """When work is due. `counts` is tasks or requests, `rate` per second, `poisson` seeded.

    With `closed` nothing is ever due, and `rate` is only the most that its users can ask for.
    """

    counts: str
    rate: Varying[Rate]
    poisson: bool = False
    closed: Closed | None = None


@dataclass(frozen=True)
class Expect:
    """What makes an answer right. `status` 0: any below 400. `json` is JSON text, or empty: fields
    that the answer must have, each with its value or a comparison (`"<= 1"`)."""

    status: int = 0
    json: str = ""


@dataclass(frozen=True)
class Request:
    """One line of `requests`. `:id` in `path`, or as a whole value in `json` (JSON text), stands
    for data; the `name` keeps it. `weight` says how often it comes among the others."""

    name: str
    method: str
    path: str
    weight: int = 1
    json: str = ""
    expect: Expect = Expect()


@dataclass(frozen=True)
class Data:
    """What `:name` stands for, drawn anew for each request: one of `values`, or, without any, a
    whole number from `low` to `high`."""

    name: str
    low: int = 1
    high: int = 1000
    values: tuple[str | int | float | bool, ...] = ()


@dataclass(frozen=True)
class Load:
    """Who asks for what: `users` is a Locust file, or else there are `requests` with their `data`;
    `entry` is the service (or host) they go to. `origin` is where they live: `here`, or in pods of
    the system's `cluster`."""

    users: Path | None
    entry: str
    arrivals: Arrivals
    warmup: Duration = Duration(0)
    timeout: Duration = Duration(10)
    workers: int = 1
    headers: tuple[tuple[str, str], ...] = ()
    requests: tuple[Request, ...] = ()
    data: tuple[Data, ...] = ()
    origin: str = "here"


@dataclass(frozen=True)
class Where:
    """What a fault acts on, as written: a `target`, the pods with these `labels` and `fields`, or
    an edge `origin` -> `to`; how many (`pick`).

    A reference is a service (`api`), a replica (`api-0`) or a zone (`zone/a`), on a cluster also
    `deploy/web`, `pod/web-0`, `node/n1`, `region/eu`. `pick` is all, one, oldest, a number or a
    percentage.
    """

    target: str = ""
    origin: str = ""
    to: str = ""
    pick: str = "all"
    labels: str = ""
    fields: str = ""

    @property
    def selects(self) -> bool:
        """By what pods are like, and not by a name."""
        return bool(self.labels or self.fields)

    def __str__(self) -> str:
        chosen = ", ".join(filter(None, (self.labels, self.fields)))
        return self.target or chosen or f"{self.origin}->{self.to}"


@dataclass(frozen=True)
class Intervention:
    """One line of the timeline. `at` counts from the end of the warm-up; `lasts` is None for an
    event. `fault` is the fault's own frozen model, `line` its place in the file. `replaced` says
    whether a condition goes to what takes the place of its target (follow, end; empty: as usual).
    """

    id: str
    kind: str
    at: Duration
    lasts: Duration | None
    where: Where
    fault: Any
    line: int = 0
    replaced: str = ""

    @property
    def follows(self) -> bool:
        """By itself it does, unless the target is one pod, named by its own name."""
        return self.replaced == "follow" or (
            not self.replaced and not self.where.target.startswith("pod/")
        )


@dataclass(frozen=True)
class Objective:
    """One line to hold, parsed. `text` is the line as written.

    indicator: availability, errors, latency, throughput, recovery, memory, or one that is measured
    elsewhere (`indicators.ELSEWHERE`); `quantile` for latency (0.99); `name` of the request or, for
    memory, of the service; `journeys` counts tasks instead of requests.
    `op` is one of < <= > >=; `limit` in base units (seconds, share, per second, bytes). With
    `than`, a window, and its `than_id`, it is `factor` times the indicator there and `limit` more.
    window: baseline, during, after, while, or empty (from the first fault to the end); `window_id`
    an intervention, or empty for all. `confidence` 0 means: a count of this run.
    With `slice_s` it must hold in a share of `slices` of all spans of that length; with `slices` 0,
    on the average of the spans. `stable_s`: served well means for so long; 0 is as always.
    """

    text: str
    indicator: str
    op: str
    limit: float
    quantile: float = 0.0
    name: str = ""
    journeys: bool = False
    window: str = ""
    window_id: str = ""
    confidence: float = 0.0
    severity: str = "fail"
    line: int = 0
    than: str = ""
    than_id: str = ""
    factor: float = 1.0
    slice_s: float = 0.0
    slices: float = 0.0
    stable_s: float = 0.0

    @property
    def counts(self) -> bool:
        """It counts requests against a number, so that any span of a run can tell it."""
        counted = self.indicator in ("availability", "errors", "latency", "throughput")
        return counted and not self.than and not self.slice_s


@dataclass(frozen=True)
class Abort:
    """`errors > 50% for 3s`: judged on live measurements."""

    text: str
    indicator: str
    op: str
    limit: float
    quantile: float
    lasts: Duration


@dataclass(frozen=True)
class Guard:
    """`blast_radius` maps services, replicas, pods, nodes, zones to the most that may be touched.
    `namespaces` are the only ones (none: the system's); `ready_endpoints` is the share of each
    service's replicas that must stay ready and untouched. `budgets` and `quorums` name disruption
    budgets that may be overdrawn, and StatefulSets that may lose their majority."""

    aborts: tuple[Abort, ...] = ()
    blast_radius: tuple[tuple[str, int], ...] = ()
    max_duration: Duration = Duration(3600)
    namespaces: tuple[str, ...] = ()
    ready_endpoints: float = 0.0
    budgets: tuple[str, ...] = ()
    quorums: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    metadata: Metadata
    hypothesis: str
    system: System
    load: Load | None
    timeline: tuple[Intervention, ...]
    objectives: tuple[Objective, ...]
    guard: Guard
    path: Path
    text: str
    variables: tuple[tuple[str, str], ...] = ()
    duration: Duration | None = None
    settle: Duration | None = None
    sources: tuple[Path, ...] = field(default=())
    #: What came from the environment (name, value): written nowhere, see record/redaction.py.
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
