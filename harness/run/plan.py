"""From an experiment to exactly what will be done. Nothing is started, nothing is changed; what is
there is the substrate's to say.

Refused here (`Refused`, exit 2): selections that are empty, targets that cannot take their fault,
a blast radius that is exceeded, objectives that no result could decide.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from harness.agent.effects import (
    Act,
    Edge,
    Effect,
    Intercept,
    LinkProfile,
    Resource,
    Toxic,
    ToxiproxyEdge,
)  # fmt: skip
from harness.errors import Refused
from harness.experiment.model import Closed, Experiment, Intervention, Load
from harness.experiment.prober import probed, prober
from harness.faults.fault import Condition, Event, Fault
from harness.record.plan import LoadPlan, Plan, PlannedEffect
from harness.record.redaction import Secrets, referred
from harness.run.radius import check
from harness.substrates.substrate import Replica, Substrate, Topology, Way

RECOVERY_WINDOW_S = 5.0
SETTLE_S = 5.0
_CLOSED_LOOP = (
    "the load is a closed loop: while the system stops, its users stop asking, so latency and "
    "failures under a stop are understated"
)


def make_plan(
    experiment: Experiment, substrate: Substrate, seed: int, run_id: str, *,
    until_decided: bool = False,
) -> Plan:  # fmt: skip
    """The plan of a run. Every random choice comes from `seed`."""
    if why := substrate.lacks(experiment.system, experiment.timeline):
        raise Refused(why, hint="`harness doctor --system FILE` lists what an account needs")
    if why := substrate.refuse(experiment.system):
        raise Refused(why)
    topology = substrate.topology(experiment.system)
    chance = random.Random(seed)
    effects = [
        replace(e, does=_seeded(e.does, seed))
        for i in experiment.timeline
        for e in _place(i, experiment, substrate, topology, chance)
    ]
    check(experiment, tuple(effects), substrate)
    settle = experiment.settle if experiment.settle is not None else _settle(experiment)
    end = max((e.at + e.lasts for e in effects), default=0.0) + float(settle)
    duration = max(end, float(experiment.duration or 0))
    plan = Plan(
        run_id=run_id, name=experiment.metadata.name, hypothesis=experiment.hypothesis, seed=seed,
        experiment=str(experiment.path), system=str(experiment.system.path),
        substrate=substrate.name, place=substrate.place(), effects=(*_prepares(effects), *effects),
        objectives=experiment.objectives, aborts=experiment.guard.aborts,
        load=(load := _load(experiment, topology, duration, seed, run_id)),
        warmup=float(experiment.load.warmup) if experiment.load else 0.0,
        duration=duration, settle=float(settle),
        max_duration=float(experiment.guard.max_duration), variables=experiment.variables,
        warnings=_warnings(substrate.caveat(experiment.system), load),
        until_decided=until_decided,
    )  # fmt: skip
    if plan.warmup + duration > plan.max_duration:
        raise Refused(
            f"the run would take {plan.warmup + duration:.0f} s, more than max_duration "
            f"({plan.max_duration:.0f} s)", hint="raise guard.max_duration or shorten the timeline",
        )  # fmt: skip
    return _decidable(plan)


def _decidable(plan: Plan) -> Plan:
    """With what is doubtful about its objectives; refused, where no result could decide."""
    from harness.verdict.planning import plan_problems

    found = plan_problems(plan, partial(expected_requests, plan))
    if found.refusals:
        raise Refused("\n".join(found.refusals), where=plan.experiment)
    return replace(plan, warnings=(*plan.warnings, *found.warnings))


def _settle(experiment: Experiment) -> float:
    bounds = [o.limit for o in experiment.objectives if o.indicator == "recovery"]
    held = max((o.stable_s for o in experiment.objectives), default=0.0) or RECOVERY_WINDOW_S
    return max(bounds) + held + 2.0 if bounds else SETTLE_S


# ---------------------------------------------------------------- where


def _place(
    intervention: Intervention, experiment: Experiment, substrate: Substrate,
    topology: Topology, chance: random.Random,
) -> list[PlannedEffect]:  # fmt: skip
    """One effect for each resource that the intervention acts on."""
    fault: Fault = intervention.fault
    origins, to = _ends(intervention, fault, experiment, topology)
    place = f"{experiment.path}:{intervention.line}"
    chosen = pick(origins, intervention.where.pick, chance, place)
    named = intervention.where.target.partition("/")
    whys = (
        substrate.forbids(intervention.kind, r, named=named == ("pod", "/", r.name)) for r in chosen
    )
    if why := next(filter(None, whys), ""):
        raise Refused(f"{intervention.kind} on {intervention.where}: {why}", where=place)
    resources = substrate.resources(fault.needs, chosen, to)
    if not resources:
        raise Refused(
            f"{intervention.where} cannot take {intervention.kind} on {substrate.name}: it offers "
            f"no {fault.needs.__name__}", where=place,
            hint=substrate.caveat(experiment.system) or f"harness explain {intervention.kind}",
        )  # fmt: skip
    effects = [_effect(intervention, fault, r, to, topology) for r in resources]
    for effect in effects:
        if why := substrate.cannot(effect.resource, effect.does):
            raise Refused(f"{intervention.kind} on {effect.target}: {why}", where=place)
    return [replace(e, mechanism=substrate.mechanism(e.resource)) for e in effects]


def _ends(
    intervention: Intervention, fault: Fault, experiment: Experiment, topology: Topology
) -> tuple[tuple[Replica, ...], tuple[Replica, ...]]:
    """Who the fault sits at, and whom its packets or connections go to (none: everybody)."""
    where = intervention.where
    if where.origin:
        return topology.named(where.origin), topology.named(where.to)
    if where.selects:
        found = [topology.labelled(where.labels)] if where.labels else []
        found += [topology.like(where.fields)] if where.fields else []
        return tuple(r for r in topology.replicas if all(r in each for each in found)), ()
    if not fault.on_edges:
        return topology.named(where.target), ()
    to = topology.named(where.target)
    callers = {c for r in to for c in topology.callers(r.service)}
    if any(r.service == _entry(experiment) for r in to):
        callers.add(topology.client.service)
    origins = [r for r in (*topology.replicas, topology.client) if r.service in callers]
    return tuple(dict.fromkeys(origins)), to


def _entry(experiment: Experiment) -> str:
    """The service that the client calls."""
    if experiment.load is not None:
        return experiment.load.entry
    service = probed(experiment.system)
    return service.name if service else ""


def pick(
    among: tuple[Replica, ...], how: str, chance: random.Random, place: str
) -> tuple[Replica, ...]:
    """`all`, `one`, `oldest`, a number, or a percentage (rounded; rounding to none is refused)."""
    if not among:
        raise Refused("this selects nothing", where=place)
    if how == "all":
        return among
    if how == "oldest":
        return (min(among, key=lambda replica: replica.created),)
    wanted = _how_many(how, len(among))
    if not 1 <= wanted <= len(among):
        raise Refused(f"pick {how} of {len(among)} is {wanted}", where=place)
    chosen = set(chance.sample(range(len(among)), wanted))
    return tuple(replica for i, replica in enumerate(among) if i in chosen)


def _how_many(how: str, there_are: int) -> int:
    if how == "one":
        return 1
    return round(float(how[:-1]) * there_are / 100) if how.endswith("%") else int(how)


def _effect(
    intervention: Intervention, fault: Fault, resource: Resource, to: tuple[Replica, ...],
    topology: Topology,
) -> PlannedEffect:  # fmt: skip
    target = resource.target
    if isinstance(fault, Event):
        does: Act | Effect = fault.act()
    else:
        does = _condition(fault).at(resource, topology.addresses(to) if to else ())
    if isinstance(does, LinkProfile) and to:
        target = f"{resource.target}->{_name_of(to)}"
    return PlannedEffect(
        id=f"{intervention.id}/{target}", intervention=intervention.id, kind=intervention.kind,
        target=target, resource=resource, does=does, event=isinstance(fault, Event),
        at=float(intervention.at), lasts=float(intervention.lasts or 0), mechanism="",
        says=f"{intervention.kind} on {target}: {fault.says()}",
        follows=isinstance(fault, Condition) and intervention.follows,
    )  # fmt: skip


def _seeded(does: Effect | Act, seed: int) -> Effect | Act:
    return replace(does, seed=seed) if isinstance(does, (LinkProfile, Toxic)) else does


def _condition(fault: Fault) -> Condition:
    assert isinstance(fault, Condition), "a fault is a condition or an event"
    return fault


def _name_of(to: tuple[Replica, ...]) -> str:
    """`database` for all of a service, otherwise the replicas' names."""
    return "+".join(dict.fromkeys(r.service if len(to) > 1 else r.name for r in to))


def _prepares(effects: Iterable[PlannedEffect]) -> tuple[PlannedEffect, ...]:
    """The redirect into the proxy is itself an intervention: made before the baseline."""
    edges = {
        e.resource: e.mechanism for e in effects if isinstance(e.resource, (Edge, ToxiproxyEdge))
    }
    return tuple(
        PlannedEffect(
            id=f"intercept/{edge.target}", intervention="prepare", kind="intercept",
            target=edge.target, resource=edge, does=Intercept(), event=False, at=0.0, lasts=0.0,
            mechanism=mechanism, says=f"connections {edge.target} run through the proxy",
            prepare=True,
        )
        for edge, mechanism in edges.items()
    )  # fmt: skip


# ---------------------------------------------------------------- load


def _load(
    experiment: Experiment, topology: Topology, duration: float, seed: int, run_id: str
) -> LoadPlan | None:
    load = experiment.load or prober(experiment.system)
    if load is None:
        return None
    rate, closed = load.arrivals.rate, load.arrivals.closed or Closed(0)
    way = _way(experiment, load, topology)
    return LoadPlan(
        users=str(load.users or ""), entry=load.entry, url=way.url, path=way.says,
        origin=load.origin,
        counts=load.arrivals.counts, rate=rate.points, rate_smooth=rate.smooth,
        rate_every=rate.every, poisson=load.arrivals.poisson, seed=seed,
        warmup=float(load.warmup), duration=duration, timeout=float(load.timeout),
        workers=load.workers, run_id=run_id, requests=load.requests,
        headers=_headers(load, way.host, experiment.secrets),
        data=load.data, closed_users=closed.users, think=float(closed.think),
        prober=experiment.load is None,
    )  # fmt: skip


def _warnings(caveat: str, load: LoadPlan | None) -> tuple[str, ...]:
    closed = _CLOSED_LOOP if load and load.closed_users else ""
    return tuple(filter(None, (caveat, closed, load.path if load else "")))


def _headers(load: Load, host: str, secrets: Secrets) -> tuple[tuple[str, str], ...]:
    """Theirs, and what the service is called where the URL does not say it."""
    given = tuple((name, referred(text, secrets)) for name, text in load.headers)
    named = any(name.lower() == "host" for name, _ in given)
    return given if named or not host else (*given, ("Host", host))


def _way(experiment: Experiment, load: Load, topology: Topology) -> Way:
    """How the load reaches its entry."""
    if way := topology.way(load.entry, load.origin):
        return way
    service = experiment.system.service(load.entry)
    if service is not None and service.url:
        return Way(load.entry, load.origin, service.url, "")
    if load.origin != "here":
        raise Refused(
            f"load.from is {load.origin}, and {load.entry} is not to be reached from there",
            where=str(experiment.path), hint="from: here, or a system with kubernetes:",
        )  # fmt: skip
    return Way(load.entry, load.origin, _url(experiment, load, topology), "")


def _url(experiment: Experiment, load: Load, topology: Topology) -> str:
    service = experiment.system.service(load.entry)
    entry = topology.named(load.entry)
    if not entry:
        raise Refused(f"load.entry {load.entry} is no service", where=str(experiment.path))
    return (
        f"http://{load.entry}:{entry[0].port}"
        if not service or service.run
        else f"http://{entry[0].address}:{entry[0].port}"
    )


def expected_requests(plan: Plan, begin: float, end: float) -> float:
    """How many arrivals are due between two times of the run ."""
    if plan.load is None or end <= begin:
        return 0.0
    return arrivals_between(plan.load, begin + plan.warmup, end + plan.warmup)


def arrivals_between(load: LoadPlan, begin: float, end: float) -> float:
    """The integral of the rate, in seconds from the start of the load."""
    from harness.load.arrivals import count_between

    return count_between(load, begin, end)
