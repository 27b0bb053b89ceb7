"""What a run came to, as one frozen value: everything that any report shows.

The fields are those of the JSON report, name for name (schemas/report.v1.json says what each
means), so the console, JUnit and the page can never tell another story than the JSON does. Only
`series`, `tracks` and `usages` are for charts alone. Times are seconds from the end of the warm-up;
values are in base units (seconds, shares of one, per second). None: not measured; infinite: a
latency that lies among the failures (both are null in JSON).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.record.witness import Witnessed
from harness.report.measured import (
    Amplification,
    Crossing,
    Finding,
    Impact,
    Name,
    Resource,
    Usage,
)

if TYPE_CHECKING:
    from harness.record.directory import RunDirectory

SCHEMA_VERSION = "1"

#: Verdicts of a run, the gravest first. An objective has one of pass, inconclusive, fail.
VERDICTS = ("dirty", "error", "interrupted", "invalid", "fail", "inconclusive", "pass")


@dataclass(frozen=True)
class Run:
    id: str
    name: str
    hypothesis: str
    seed: int
    started: str
    duration_s: float
    directory: str
    experiment: str
    system: str
    substrate: str
    warmup_s: float = 0.0
    variables: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """One line judged. `says` is the verdict as a sentence, `needed` how many more requests it
    takes to decide it, `line` its place in the experiment file (0: unknown).
    """

    text: str
    window: str
    claim: str
    verdict: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    good: int
    count: int
    needed: int
    confidence: float
    proves: str
    says: str
    indicator: str = ""
    limit: float = 0.0
    severity: str = "fail"
    start_s: float = 0.0
    end_s: float = 0.0
    line: int = 0


@dataclass(frozen=True)
class Exercised:
    count: float
    unit: str
    unknown: str = ""


@dataclass(frozen=True)
class Track:
    """One field of an effect over time: asked as (second, value), seen as (from, to, value)."""

    field: str
    unit: str
    asked: tuple[tuple[float, float], ...]
    seen: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Effect:
    """One fault at one target. `injected_at_s` None: it was never injected; `reverted_at_s` None:
    never taken back, or an event, which needs no taking back. `by_hand`: commands that take back
    what is left behind.
    """

    id: str
    intervention: str
    fault: str
    target: str
    mechanism: str
    says: str
    event: bool
    confirmed: bool
    witnessed: tuple[Witnessed, ...]
    exercised: Exercised | None
    injected_at_s: float | None
    inject_ms: float | None
    reverted_at_s: float | None
    revert_ms: float | None
    gone_at_s: float | None = None
    left_behind: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True)
class Load:
    """`due`, `sent`, `dropped` count arrivals; `counts` says of what; `rate` was reached."""

    due: int
    sent: int
    dropped: int
    late_p99_ms: float | None
    rate: float
    counts: str = "tasks"


@dataclass(frozen=True)
class Window:
    name: str
    start_s: float
    end_s: float
    count: int
    availability: float | None
    p50_ms: float | None
    p99_ms: float | None
    throughput: float | None = None
    goodput: float | None = None


@dataclass(frozen=True)
class Event:
    at_s: float
    event: str
    effect: str
    says: str


@dataclass(frozen=True)
class Recovery:
    """How the system came back from an intervention. `at_s` None: it did not, or never suffered;
    `says` tells which. `from_s` is where the counting begins. On a cluster its controllers have a
    view of their own: `controllers_at_s` is when the last workload was whole again.
    """

    intervention: str
    from_s: float
    at_s: float | None
    says: str
    controllers_at_s: float | None = None
    controllers_say: str = ""


@dataclass(frozen=True)
class Sighting:
    """The cluster told that a thing is so; `service` is the system's, where it is of one."""

    at_s: float
    kind: str
    name: str
    state: str
    says: str
    service: str = ""


@dataclass(frozen=True)
class Series:
    """The whole run in bins of `step_s`, the n-th beginning at `start_s + n * step_s`.

    `asked` were due per second, `reached` were answered well; quantiles count failures as infinite;
    `errors` counts failures of each class in each bin.
    """

    start_s: float
    step_s: float
    asked: tuple[float | None, ...]
    reached: tuple[float | None, ...]
    p50_ms: tuple[float | None, ...]
    p99_ms: tuple[float | None, ...]
    errors: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Record:
    run: Run
    verdict: str
    exit_status: int
    reasons: tuple[str, ...] = ()
    objectives: tuple[Objective, ...] = ()
    effects: tuple[Effect, ...] = ()
    load: Load | None = None
    crossing: Crossing | None = None
    windows: tuple[Window, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    events: tuple[Event, ...] = ()
    cluster: tuple[Sighting, ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    impacts: tuple[Impact, ...] = ()
    amplifications: tuple[Amplification, ...] = ()
    names: tuple[Name, ...] = ()
    resources: tuple[Resource, ...] = ()
    usages: tuple[Usage, ...] = ()
    series: Series | None = None
    schema_version: str = SCHEMA_VERSION

    @property
    def explored(self) -> bool:
        """There was nothing to hold: numbers, no verdict."""
        return not self.objectives and self.verdict == "pass"

    @property
    def by_hand(self) -> tuple[str, ...]:
        """What a person has to run to take the rest back, in order and without repetition."""
        commands = [command for effect in self.effects for command in effect.by_hand]
        again = [f"harness recover {self.run.directory}"] if self.verdict == "dirty" else []
        return tuple(dict.fromkeys(again + commands))


def record_of(directory: RunDirectory) -> Record:
    """Everything about a run, from its directory alone."""
    # numpy and scipy are loaded only where a run is read, not where a record is rendered.
    from harness.report.reading import read_record

    return read_record(directory)
