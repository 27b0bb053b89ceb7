"""A plan: exactly what a run will do, decided before anything happens. Written to plan.json."""

from __future__ import annotations

from dataclasses import dataclass

from harness.agent.effects import Act, Effect, Resource
from harness.experiment.model import Abort, Data, Objective, Request
from harness.experiment.system_model import Cluster


@dataclass(frozen=True)
class PlannedEffect:
    """One fault at one target.

    `id` is unique in the run (`slow-db/api-0->database`), `intervention` the timeline's id. `at`
    and `lasts` in seconds from the end of the warm-up; an event lasts 0. `prepare` effects are made
    before the baseline and taken back after the last window. `follows`: what takes the place of the
    target is treated too, by an effect of its own `instead_of` this one's id. `says` tells a person
    what will be done.
    """

    id: str
    intervention: str
    kind: str
    target: str
    resource: Resource
    does: Effect | Act
    event: bool
    at: float
    lasts: float
    mechanism: str
    says: str
    prepare: bool = False
    follows: bool = False
    instead_of: str = ""


@dataclass(frozen=True)
class LoadPlan:
    """What the load processes get. Times in seconds, `rate` as curve points per second, repeated
    each `rate_every` seconds unless that is 0.

    `users` is a Locust file; without one, `requests` are sent. `closed_users` asks again and again,
    each `think` after its answer; without any, arrivals are due by the rate. `prober` says that the
    experiment has no load of its own. Secrets stand in `headers` as `$(env:NAME)`; the worker
    resolves them in its environment. `origin` is `here`, or `cluster` for workers in pods of their
    own; `path` says in words how `url` is reached from there, and what that adds.
    """

    users: str
    entry: str
    url: str
    counts: str
    rate: tuple[tuple[float, float], ...]
    rate_smooth: bool
    poisson: bool
    seed: int
    warmup: float
    duration: float
    timeout: float
    workers: int
    headers: tuple[tuple[str, str], ...]
    run_id: str
    rate_every: float = 0.0
    requests: tuple[Request, ...] = ()
    data: tuple[Data, ...] = ()
    closed_users: int = 0
    think: float = 0.0
    prober: bool = False
    origin: str = "here"
    path: str = ""


@dataclass(frozen=True)
class Place:
    """A system that lives elsewhere: all that recover needs to find it again. `cluster` has the
    context that was used, and the uid that was found, though the file names neither."""

    cluster: Cluster
    server: str

    def __str__(self) -> str:
        there = self.cluster
        return f"context {there.context}, server {self.server}, namespace {there.namespace}"


@dataclass(frozen=True)
class Plan:
    """`duration` is from the end of the warm-up to the end of the load, settle included.

    `place` says where the system lives, if not on this machine.
    `until_decided`: a phase ends before its time once all of its objectives are decided.
    """

    run_id: str
    name: str
    hypothesis: str
    seed: int
    experiment: str
    system: str
    substrate: str
    effects: tuple[PlannedEffect, ...]
    objectives: tuple[Objective, ...]
    aborts: tuple[Abort, ...]
    load: LoadPlan | None
    warmup: float
    duration: float
    settle: float
    max_duration: float
    variables: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    until_decided: bool = False
    place: Place | None = None

    def effect(self, id: str) -> PlannedEffect:
        return next(effect for effect in self.effects if effect.id == id)

    def of(self, intervention: str) -> tuple[PlannedEffect, ...]:
        return tuple(e for e in self.effects if e.intervention == intervention)

    @property
    def interventions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(e.intervention for e in self.effects if not e.prepare))
