"""Runs one experiment with hands that do something else than they are told.

`saboteur.py EXPERIMENT SABOTAGE RUNS`: prints what the run came to, as JSON. What is changed is
what a message says on its way to the agent; the agent, the witness and the judge are the real ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.agent.effects import (
    Act,
    Curve,
    Edge,
    Effect,
    Exercised,
    InForce,
    Intercept,
    Link,
    LinkProfile,
    Processes,
    Resource,
    Seen,
    Snapshot,
    Stopped,
    Toxic,
    Unit,
)
from harness.capabilities import Edges, Hands, Links, Signals, Units
from harness.experiment.system_model import System
from harness.substrates.local import agent as local_agent
from harness.substrates.local.process import Asked
from harness.substrates.local.substrate import LocalSubstrate
from harness.substrates.local.world import LocalWorld
from harness.substrates.substrate import Needs


@dataclass(frozen=True)
class Told:
    """One thing that the hands are told: what is to be done, and where."""

    where: Resource
    does: Effect | Act


@dataclass(frozen=True)
class Place:
    """Who is there besides the target, for those that hit the wrong one."""

    links: tuple[Link, ...]
    edges: tuple[Edge, ...]
    processes: tuple[Processes, ...]
    units: tuple[Unit, ...]
    look: Callable[[Resource], Seen]


#: What is done in place of what was told; nothing, where it is None.
Sabotage = Callable[[Told, Place], Told | None]


# ---------------------------------------------------------------- the sabotages


def honest(told: Told, place: Place) -> Told | None:
    return told


def nothing(told: Told, place: Place) -> Told | None:
    return None


def half(told: Told, place: Place) -> Told | None:
    """Half of the number, of the connections, of the time, or of the processes."""
    if isinstance(told.does, LinkProfile):
        return Told(told.where, _half_of_packets(told.does))
    if isinstance(told.does, Toxic):
        return Told(told.where, _half_of_connections(told.does))
    child = place.look(told.where).alive[-1]  # type: ignore[union-attr]
    return Told(Processes(told.where.target, pid=child.pid, start=child.start), told.does)


def one_way(told: Told, place: Place) -> Told | None:
    assert isinstance(told.does, LinkProfile)
    return Told(told.where, dataclasses.replace(told.does, direction="forth"))


def one_of_two_targets(told: Told, place: Place) -> Told | None:
    return told if "-0" in told.where.target.partition("->")[0] else None


def one_of_two_peers(told: Told, place: Place) -> Told | None:
    if isinstance(told.where, Edge):
        one = dataclasses.replace(told.where, upstreams=told.where.upstreams[:1])
        return Told(one, told.does)
    assert isinstance(told.does, LinkProfile)
    return Told(told.where, dataclasses.replace(told.does, peers=told.does.peers[:1]))


def somewhere_else(told: Told, place: Place) -> Told | None:
    every = (*place.links, *place.edges, *place.processes, *place.units)
    same = [where for where in every if type(where) is type(told.where)]
    return Told(same["-1" in told.where.target.partition("->")[0]], told.does)


def wrong_peer(told: Told, place: Place) -> Told | None:
    assert isinstance(told.does, LinkProfile)
    return Told(told.where, dataclasses.replace(told.does, peers=(place.links[0].address,)))


SABOTAGES: dict[str, Sabotage] = {
    "honest": honest,
    "nothing": nothing,
    "half": half,
    "one way": one_way,
    "one of two targets": one_of_two_targets,
    "one of two peers": one_of_two_peers,
    "new connections only": honest,  # the proxy is another: see NEW_ONLY
    "somewhere else": somewhere_else,
    "wrong peer": wrong_peer,
    "goes round": honest,  # the system is another
}


def _half_of_packets(profile: LinkProfile) -> LinkProfile:
    if profile.cut:
        return dataclasses.replace(profile, cut="", loss=Curve.constant(0.5))
    shares = ("delay", "loss", "duplicate", "reorder", "corrupt")
    changed = {name: _times(0.5, getattr(profile, name)) for name in shares}
    return dataclasses.replace(profile, rate=_times(2, profile.rate), **changed)


#: What makes half of a toxic's strength out of its numbers.
_FACTORS = {"latency": 0.5, "bandwidth": 2.0, "slow_close": 0.5, "limit_data": 2.0}


def _half_of_connections(toxic: Toxic) -> Toxic:
    if toxic.kind == "down":
        ((name, rhythm),) = toxic.numbers
        (begin, (down, value)) = rhythm.points
        half = dataclasses.replace(rhythm, points=(begin, (down / 2, value)))
        return dataclasses.replace(toxic, numbers=((name, half),))
    if toxic.kind not in _FACTORS:
        return dataclasses.replace(toxic, share=toxic.share / 2)
    numbers = tuple((name, _times(_FACTORS[toxic.kind], curve)) for name, curve in toxic.numbers)
    return dataclasses.replace(toxic, numbers=numbers)


def _times(factor: float, curve: Curve | None) -> Any:
    return curve and Curve(tuple((at, value * factor) for at, value in curve.points), curve.smooth)


# ---------------------------------------------------------------- at the transport


@dataclass
class SabotagedHands:
    """Passes everything on, but what is made and acted. `hit`: ids of effects that were changed."""

    hands: Hands
    sabotage: Sabotage
    place: Place
    hit: set[str] = field(default_factory=set)
    _elsewhere: dict[Resource, dict[str, InForce]] = field(default_factory=dict)
    _snapshots: dict[Resource, Snapshot] = field(default_factory=dict)
    _generations: dict[Resource, int] = field(default_factory=dict)

    def make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: tuple[InForce, ...],
    ) -> None:  # fmt: skip
        here: list[InForce] = []
        wanted: dict[Resource, dict[str, InForce]] = {other: {} for other in self._elsewhere}
        for effect in effects:
            told = self._changed(Told(resource, effect.effect), effect.id)
            if told is None:
                continue
            done = dataclasses.replace(effect, effect=told.does)
            if told.where == resource:
                here.append(done)
            else:
                wanted.setdefault(told.where, {})[f"{resource.target} {done.id}"] = done
        self.hands.make(resource, receipt, generation, snapshot, tuple(here))
        for other, mine in wanted.items():
            self._make_elsewhere(other, resource, mine)

    def _make_elsewhere(self, other: Resource, told: Resource, mine: dict[str, InForce]) -> None:
        before = self._elsewhere.get(other, {})
        kept = {k: e for k, e in before.items() if not k.startswith(f"{told.target} ")}
        now = self._elsewhere[other] = {**kept, **mine}
        if now == before:
            return
        if other not in self._snapshots:
            self._snapshots[other] = self.hands.snapshot(other)
        generation = self._generations[other] = self._generations.get(other, 0) + 1
        effects = tuple(now.values())
        self.hands.make(other, "elsewhere", generation, self._snapshots[other], effects)

    def act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        told = self._changed(Told(resource, act), effect_id)
        if told is None:
            return self.hands.measure(resource, act, 0.0)
        assert not isinstance(told.does, (LinkProfile, Stopped, Intercept, Toxic))
        return self.hands.act(told.where, receipt, told.does, effect_id)

    def _changed(self, told: Told, effect_id: str) -> Told | None:
        if isinstance(told.does, Intercept) and self.sabotage is not one_of_two_peers:
            return told  # what is sabotaged is the fault, not what was prepared for it
        changed = self.sabotage(told, self.place)
        if changed != told:
            self.hit.add(effect_id)
        return changed

    def mechanism(self, resource: Resource, effects: tuple[Any, ...] = ()) -> str:
        return self.hands.mechanism(resource, effects)

    def snapshot(self, resource: Resource) -> Snapshot:
        return self.hands.snapshot(resource)

    def measure(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> Seen:
        return self.hands.measure(resource, effect, for_s)

    def exercised(self, resource: Resource, effect_id: str) -> Exercised:
        return self.hands.exercised(resource, effect_id)

    def renew(self) -> None:
        self.hands.renew()


class SabotagedSubstrate(LocalSubstrate):
    def __init__(self, sabotage: Sabotage) -> None:
        self._sabotage = sabotage
        self.hit: set[str] = set()

    @contextlib.contextmanager
    def open(
        self, system: System, directory: Path, lease_s: float, keep: tuple[Path, ...] = (),
        needs: Needs = Needs(),  # noqa: B008  frozen
    ) -> Iterator[LocalWorld]:  # fmt: skip
        with super().open(system, directory, lease_s, keep, needs) as world:
            place = self._place(system, world.hands)
            world.hands = SabotagedHands(world.hands, self._sabotage, place, self.hit)
            yield world

    def _place(self, system: System, hands: Hands) -> Place:
        """`aside` is a service that no fault is aimed at."""
        topology = self.topology(system)
        aside, front = topology.named("aside"), topology.named("front")
        kinds = ((Links, ()), (Edges, front), (Signals, ()), (Units, ()))
        found: Any = [self.resources(kind, aside, to) for kind, to in kinds]
        return Place(*found, look=lambda where: hands.measure(where, None, 0.0))


# ---------------------------------------------------------------- another proxy

#: A proxy whose toxics miss the connections that are open already, as with a redirect that is only
#: made at the inject.
NEW_ONLY = """
import sys
from harness.agent import main as agent
from harness.mechanisms import proxy_process

proxy_process._START = '''
import sys; sys.path.insert(0, {!r})
from harness.mechanisms import proxy_server as at
honest = at.Server._make
def make(server, effects):
    links, server._links = server._links, dict()
    try:
        honest(server, effects)
    finally:
        server._links = links
at.Server._make = make
at.main(sys.argv[1:])
'''
sys.exit(agent.main(sys.argv[1:]))
"""


def start_another_agent() -> None:
    start = local_agent.spawn

    def spawn(world: str, asked: Asked, files: tuple[int, int, int]) -> Any:
        at = asked.argv.index("-m")
        argv = (*asked.argv[:at], "-c", NEW_ONLY, *asked.argv[at + 2 :])
        return start(world, dataclasses.replace(asked, argv=argv), files)

    local_agent.spawn = spawn  # type: ignore[assignment]


# ---------------------------------------------------------------- one run


def main(path: str, sabotage: str, reports: str) -> None:
    from harness.cli.options import load
    from harness.report.progress import Progress
    from harness.run.conduct import conduct, run_id
    from harness.run.plan import make_plan
    from harness.verdict.run import judge_run

    if sabotage == "new connections only":
        start_another_agent()
    experiment = load(Path(path), (), None)
    substrate = SabotagedSubstrate(SABOTAGES[sabotage])
    plan = make_plan(experiment, substrate, 1, run_id(experiment.metadata.name))
    with Progress.on(sys.stderr, plan) as progress:
        directory = conduct(experiment, plan, substrate, Path(reports), progress)
    verdict = judge_run(directory)
    effects = {e.id: e.intervention for e in plan.effects if not e.prepare}
    if sabotage in ("new connections only", "goes round"):
        substrate.hit.update(effects)
    print(json.dumps({
        "verdict": verdict.verdict, "reasons": verdict.reasons, "effects": effects,
        "hit": sorted(substrate.hit & set(effects)), "directory": str(directory.path),
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
