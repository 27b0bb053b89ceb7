"""The engine under random schedules: whatever fails, in whatever order, nothing is left behind.

A fake world carries out commands one at a time in an order that a seed decides, with failures of
its own: effects that fail before or after they were made, witnesses that flap, journals that are
full, targets that vanish, aborts at any point. A failing example prints its seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agent.effects import Kill, Link, LinkProfile, Processes, Snapshot, encode
from harness.record.journal import Step
from harness.record.plan import Plan, PlannedEffect
from harness.run import lifecycle as go
from harness.run.engine import Engine
from harness.run.lives import Lives
from harness.run.recover import open_in

SCHEDULES = 3000
DRAWN = 300  #: besides, by hypothesis, which makes a failing schedule smaller
CRASHES = 1000  #: each looks at the journal after every single thing that happens
TROUBLES = (0.0, 0.02, 0.2)


def link(name: str) -> Link:
    return Link(name, f"/run/netns/{name}", f"v-{name}", "198.18.0.9")


def effect(id: str, resource: object, at: float, lasts: float, *, event=False, prepare=False):
    does = Kill() if event else LinkProfile()
    name = id.split("/", maxsplit=1)[0]
    return PlannedEffect(
        id,
        "prepare" if prepare else name,
        "x",
        "t",
        resource,
        does,
        event,
        at,
        lasts,
        "m",
        "",
        prepare,
    )


def plan(*effects: PlannedEffect) -> Plan:
    return Plan("r", "n", "", 1, "", "", "fake", effects, (), (), None, 2.0, 30.0, 5.0, 600.0)


def random_plan(chance: random.Random) -> Plan:
    names = ["api-0", "api-1", "database"]
    effects = [effect("i/p", link("edge"), 0, 0, prepare=True)] if chance.random() < 0.5 else []
    for n in range(chance.randint(1, 5)):
        at, lasts = chance.uniform(0, 12), chance.uniform(1, 10)
        for target in chance.sample(names, chance.randint(1, 2)):
            if chance.random() < 0.25:
                effects.append(effect(f"e{n}/{target}", Processes(target), at, 0, event=True))
            else:
                effects.append(effect(f"c{n}/{target}", link(target), at, lasts))
    return plan(*effects)


@dataclass
class FakeWorld:
    """Resources with what is in force on them, and every rule of the lifecycle as an assertion."""

    chance: random.Random
    trouble: float
    in_force: dict[object, tuple[str, ...]] = field(default_factory=dict)
    receipts: set[str] = field(default_factory=set)
    generations: dict[object, int] = field(default_factory=dict)
    aborted: bool = False
    made: int = 0
    broken_disk: bool = False
    left: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    journal: list[Step] = field(default_factory=list)
    snapshots: dict[object, Snapshot] = field(default_factory=dict)
    gone: set[object] = field(default_factory=set)

    def write(self, command: go.Write) -> bool:
        if self.broken_disk or self.chance.random() < self.trouble / 30:
            self.broken_disk = self.chance.random() < 0.5
            return False
        number = len(self.journal)
        self.journal.append(
            Step(number, number, command.step, command.effect, encode(command.data))
        )
        if command.step == "receipt":
            resource = command.data["resource"]
            self.snapshots[resource] = command.data["snapshot"]
            self.receipts.add(command.data["receipt"])
        if command.step == "abort":
            self.aborted = True
        if command.step == "left_behind":
            self.left.add(command.effect)
        return True

    def carry_out(self, command: go.Command, engine: Engine) -> go.Event:
        match command:
            case go.Make():
                return self.make(command, engine)
            case go.Perform(_, receipt):
                assert receipt in self.receipts, "an act without a receipt"
                return self.maybe(command, go.Finding(self.chance.random() < 0.7))
            case go.TakeSnapshot():
                return self.maybe(command, Snapshot("fake", {"at": str(len(self.journal))}))
            case go.Look():
                return self.maybe(command, go.Finding(self.chance.random() < 0.8))
            case go.LookBefore():
                return self.maybe(command, go.Finding(fine=True))
            case go.CheckGone(id):
                resource = engine.plan.effect(id).resource
                here = id in self.in_force.get(resource, ())
                return self.maybe(command, go.Finding(not here, "still there" if here else ""))
            case go.AskGate():
                return go.Done(command, "broken" if self.chance.random() < self.trouble / 5 else "")
        return go.Done(command)

    def maybe(self, command: go.Command, result: object) -> go.Event:
        if self.chance.random() < self.trouble:
            return go.Failed(command, "no answer", self.chance.random() < 0.2)
        return go.Done(command, result)

    def make(self, command: go.Make, engine: Engine) -> go.Event:
        resource = engine.plan.effect(command.effect).resource
        wanted = tuple(e.id for e in command.in_force)
        comes = command.effect in wanted
        assert not comes or command.receipt in self.receipts, "an effect without a receipt"
        assert command.generation > self.generations.get(resource, 0), "a generation went back"
        self.generations[resource] = command.generation
        before = self.in_force.get(resource, ())
        if not comes and resource not in self.gone:
            assert set(wanted) <= set(before), "a revert that injects"
        fails = self.chance.random() < self.trouble
        if fails and self.chance.random() < 0.2:
            self.gone.add(resource)
            self.in_force[resource] = ()
            return go.Failed(command, "gone", target_gone=True)
        if not fails or self.chance.random() < 0.5:
            self.in_force[resource] = wanted
            self.made += 1
        return go.Failed(command, "refused") if fails else go.Done(command)


def run(
    seed: int,
    trouble: float,
    after_each: Callable[[Engine, FakeWorld], None] = lambda *_: None,
    decided: float = 0.0,
) -> tuple[Engine, FakeWorld]:
    chance = random.Random(seed)
    engine = Engine(random_plan(chance))
    world = FakeWorld(chance, trouble)
    open_commands: list[go.Command] = []
    abort_at = chance.randint(0, 400) if chance.random() < 0.5 else None
    now = -2.0

    def feed(event: go.Event) -> None:
        broken = set()
        for command in engine.feed(event):
            if isinstance(command, go.Write):
                if command.effect in broken:
                    continue
                if not world.write(command):
                    failures.append(go.Failed(command, "ENOSPC"))
                    if command.step in ("receipt", "injecting", "acting"):
                        broken.add(command.effect)
            elif getattr(command, "effect", None) in broken:
                failures.append(go.Failed(command, "ENOSPC"))
            else:
                open_commands.append(command)

    failures: list[go.Event] = []
    feed(go.Begin())
    for step in range(5000):
        after_each(engine, world)
        if engine.finished:
            break
        if step == abort_at:
            feed(go.Abort("stop", "person"))
        elif failures:
            feed(failures.pop(0))
        elif decided and engine.load == "running" and chance.random() < decided:
            before, unseen = engine.ahead, unwitnessed(engine)
            feed(go.Decided("any", ("all",)))
            assert engine.ahead == before or not unseen, "a fault that nobody saw was cut short"
        elif open_commands and chance.random() < 0.6:
            command = open_commands.pop(chance.randrange(len(open_commands)))
            if not isinstance(command, go.Finish):
                feed(world.carry_out(command, engine))
        elif engine.load == "running":
            now += chance.uniform(0.05, 0.5)
            feed(go.Tick(now))
    return engine, world


def unwitnessed(engine: Engine) -> bool:
    held = (e for e in engine.lives.values() if e.state is go.State.HELD and not e.plan.prepare)
    return any(not life.witnessed for life in held)


def check(engine: Engine, world: FakeWorld, seed: int) -> None:
    assert engine.finished, (
        f"seed {seed}: never finished: {[(i.plan.id, i.state) for i in engine.lives.values()]}"
    )
    for life in engine.lives.values():
        assert life.state in go.ENDED, f"seed {seed}: {life.plan.id} ended {life.state}"
        still = life.plan.id in world.in_force.get(life.plan.resource, ())
        known = life.state is go.State.LEFT_BEHIND
        assert not still or known, f"seed {seed}: {life.plan.id} is still in force, unnoticed"


def test_nothing_is_left_behind_unnoticed() -> None:
    for seed in range(SCHEDULES):
        engine, world = run(seed, TROUBLES[seed % 3])
        check(engine, world, seed)


@given(st.integers(0, 2**32), st.sampled_from(TROUBLES))
@settings(max_examples=DRAWN, deadline=None)
def test_nothing_is_left_behind_by_schedules_never_seen(seed: int, trouble: float) -> None:
    engine, world = run(seed, trouble)
    check(engine, world, seed)


def found_by_recover(engine: Engine, world: FakeWorld) -> None:
    """Were everything killed now: the journal tells of all that may be in force, and how to take
    it back; `left_behind` is no end."""
    found = {o.effect: o for o in open_in(tuple(world.journal), engine.plan)}
    for resource, ids in world.in_force.items():
        for id in ids:
            assert id in found, f"{id} is in force, and recover would not find it"
            assert found[id].resource == resource
            assert found[id].snapshot == world.snapshots[resource], "the receipt of another time"


def test_a_crash_at_any_moment_is_recovered_from_the_journal() -> None:
    for seed in range(CRASHES):
        run(seed, TROUBLES[seed % 3], found_by_recover)


@pytest.mark.parametrize("lost", ["injecting", "receipt"])
def test_a_journal_written_too_late_is_found(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That simulation can fail, too: a step that is not written before its effect shows."""
    write = FakeWorld.write

    def forgetful(self: FakeWorld, command: go.Write) -> bool:
        return command.step == lost or write(self, command)

    monkeypatch.setattr(FakeWorld, "write", forgetful)
    with pytest.raises((AssertionError, KeyError)):  # noqa: PT012
        for seed in range(100):
            run(seed, 0.0, found_by_recover)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_without_trouble_everything_is_made_and_goes(seed: int) -> None:
    engine, world = run(seed, 0.0)
    assert not any(world.in_force.values())
    if engine.aborted is None:
        assert all(life.state is go.State.GONE for life in engine.lives.values())
        assert world.made >= 2 * sum(not life.plan.event for life in engine.lives.values())


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_phases_that_end_early_leave_nothing_behind(seed: int) -> None:
    check(*run(seed, 0.0, decided=0.2), seed)


def test_a_phase_that_is_decided_ends_at_once() -> None:
    engine = Engine(plan(effect("a/x", link("api-0"), 10, 10)))
    world, todo, now, begun, ended = FakeWorld(random.Random(1), 0.0), [], -2.0, 0.0, 0.0
    todo += engine.feed(go.Begin())
    while not engine.finished:
        while todo:
            command = todo.pop(0)
            if isinstance(command, go.Write):
                begun = now if command.step == "injected" else begun
                ended = now if command.step == "reverting" else ended
                world.write(command)
            elif not isinstance(command, go.Finish):
                todo += engine.feed(world.carry_out(command, engine))
        now += 0.1
        todo += engine.feed(go.Tick(now))
        if now >= 3:
            todo += engine.feed(go.Decided("any", ("all",)))
    assert 4 < begun < 5.5  # at 3 s, and time for a look before it
    assert ended - begun < 2  # it was seen once
    assert now < 12


@pytest.mark.parametrize("method", ["revert_due", "drop_waiting", "_check"])
def test_a_broken_engine_is_found(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation itself can fail: with a part of the engine taken out, some seed shows it."""

    def nothing(self: Lives, *args: object) -> object:
        return go.StartLoad() if method == "_check" else None

    monkeypatch.setattr(Lives, method, nothing)
    with pytest.raises(AssertionError):  # noqa: PT012
        for seed in range(300):
            check(*run(seed, 0.05), seed)


def test_overlapping_effects_come_and_go_independently() -> None:
    api = link("api-0")
    engine = Engine(plan(effect("a/x", api, 1, 5), effect("b/x", api, 2, 2)))
    world = FakeWorld(random.Random(1), 0.0)
    todo, seen, now = list(engine.feed(go.Begin())), [], -2.0
    while not engine.finished:
        while todo:
            command = todo.pop(0)
            if isinstance(command, go.Write):
                world.write(command)
            elif not isinstance(command, go.Finish):
                todo += engine.feed(world.carry_out(command, engine))
                if isinstance(command, go.Make):
                    seen.append(tuple(e.id for e in command.in_force))
        now += 0.1
        todo += engine.feed(go.Tick(now))
    assert seen == [("a/x",), ("a/x", "b/x"), ("a/x",), ()]
