"""The engine on simulated substrates: by seeds, by Hypothesis, and a few courses by hand."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from harness.agent.effects import Link, LinkProfile
from harness.record.plan import Plan, PlannedEffect
from harness.run import lifecycle as go
from harness.run.engine import Engine
from harness.simulation.campaign import campaign, portion
from harness.simulation.plans import WARMUP_S
from harness.simulation.schedule import Schedule, run_schedule

#: `make simulate` does a million; these are other seeds.
FIRST = 7_000_000
AT_A_TIME = 200


@pytest.mark.parametrize("part", range(10))
def test_nothing_is_left_behind(part: int) -> None:
    tally = portion(FIRST + part * AT_A_TIME, AT_A_TIME)
    assert not tally.violations
    assert tally.crashed > AT_A_TIME / 40
    assert len(tally.troubles) > 10


def test_a_seed_does_the_same_again() -> None:
    for seed in range(50):
        first: list[str] = []
        again: list[str] = []
        assert run_schedule(seed, first.append) == run_schedule(seed, again.append)
        assert first == again


def test_processes_do_what_one_does() -> None:
    together = list(campaign(FIRST, 50, 2))
    assert [tally.steps for tally in together] == [portion(FIRST, 50).steps]


class AnyOrder(RuleBasedStateMachine):
    """Hypothesis decides what happens next, and makes what fails smaller."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.schedule = Schedule(seed)
        self.schedule.feed(go.Begin())

    @precondition(lambda self: self.schedule.sent)
    @rule(which=st.integers(0, 20))
    def go_on(self, which: int) -> None:
        self.schedule.go_on(which % len(self.schedule.sent))

    @precondition(lambda self: self.schedule.cancelled)
    @rule()
    def cancel(self) -> None:
        self.schedule.feed(self.schedule.cancelled.pop(0))

    @precondition(lambda self: self.schedule.engine.load == "running")
    @rule()
    def tick(self) -> None:
        self.schedule.tick()

    @rule(by=st.sampled_from(["person", "guard", "blind", "world"]))
    def abort(self, by: str) -> None:
        self.schedule.feed(go.Abort("stop", by))

    @rule()
    def lose_lease(self) -> None:
        self.schedule.lose_lease()

    def teardown(self) -> None:
        """All die, or the run goes on to its end: whatever was done so far."""
        if hasattr(self, "schedule"):
            ends = self.schedule.crash if self.schedule.seed % 2 else self.schedule.go_to_the_end
            ends()


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestAnyOrder = AnyOrder.TestCase


# ---------------------------------------------------------------- by hand


def link(name: str) -> Link:
    return Link(name, f"/run/netns/{name}", f"v-{name}", "198.18.0.9")


def effect(id: str, resource: Link, at: float, lasts: float) -> PlannedEffect:
    name = id.partition("/")[0]
    return PlannedEffect(
        id, name, "x", "t", resource, LinkProfile(), event=False, at=at, lasts=lasts,
        mechanism="m", says="",
    )  # fmt: skip


def plan(*effects: PlannedEffect) -> Plan:
    return Plan("r", "n", "", 1, "", "", "fake", effects, (), (), None, WARMUP_S, 30.0, 5.0, 600.0)


def course(plan: Plan, decided_from: float = 1e9) -> list[tuple[float, go.Command]]:
    """Every command with its time, where all goes well and at once."""
    engine, now, done = Engine(plan), -WARMUP_S, []
    todo = engine.feed(go.Begin())
    while not engine.finished:
        assert now < 60, "every run ends"
        while todo:
            command = todo.pop(0)
            done.append((now, command))
            if not isinstance(command, (go.Write, go.Finish)):
                todo += engine.feed(go.Done(command, answer(command)))
        now += 0.1
        todo += engine.feed(go.Tick(now))
        if now >= decided_from:
            todo += engine.feed(go.Decided("any", ("all",)))
    return done


def answer(command: go.Command) -> object:
    if isinstance(command, go.AskGate):
        return ""
    return go.Finding(fine=True)


def test_a_phase_that_is_decided_ends_at_once() -> None:
    done = course(plan(effect("a/x", link("api-0"), 10, 10)), decided_from=3)
    when = {c.step: now for now, c in done if isinstance(c, go.Write)}
    assert 4 < when["injected"] < 5.5  # at 3 s, and time for a look before it
    assert when["reverting"] - when["injected"] < 2  # it was seen once
    assert done[-1][0] < 12


def test_overlapping_effects_come_and_go_independently() -> None:
    api = link("api-0")
    done = course(plan(effect("a/x", api, 1, 5), effect("b/x", api, 2, 2)))
    seen = [tuple(e.id for e in c.in_force) for _, c in done if isinstance(c, go.Make)]
    assert seen == [("a/x",), ("a/x", "b/x"), ("a/x",), ()]
    steps = [c.step for _, c in done if isinstance(c, go.Write)]
    assert steps.count("receipt") == 1
    assert steps.count("gone") == 2


def begun(plan: Plan) -> Engine:
    """Its load runs, and no tick came yet."""
    engine = Engine(plan)
    engine.feed(go.Begin())
    engine.feed(go.Done(go.StartLoad()))
    return engine


def test_before_it_begins_nothing_is_done() -> None:
    engine = Engine(plan(effect("a/x", link("api-0"), 1, 5)))
    assert engine.feed(go.Tick(-WARMUP_S)) == []
    assert (engine.load, engine.finished, engine.aborted) == ("none", False, None)
    assert engine._begun is False
    assert engine.active == engine.in_force == ()


def test_a_run_that_is_over_cannot_be_aborted() -> None:
    engine = Engine(plan())
    engine.feed(go.Abort("stop", "person"))
    assert engine.finished is True
    assert engine.feed(go.Abort("again", "guard")) == []
    assert engine.aborted == go.Abort("stop", "person")


@pytest.mark.parametrize(
    ("now", "saved"), [(1.23456, [6.765]), (7.5, [0.5]), (7.51, []), (8.0, []), (9.0, [])]
)
def test_what_is_decided_early_saves_the_time_until_what_comes_next(
    now: float, saved: list[float]
) -> None:
    """Two seconds before a fault it is looked at; less than half a second is not worth it."""
    engine = begun(plan(effect("a/x", link("api-0"), 10, 10)))
    engine._timeline.passed = now
    said = engine.feed(go.Decided("baseline", ("all",)))
    assert [c.data["saved_s"] for c in said if isinstance(c, go.Write)] == saved
    assert engine.ahead == pytest.approx(sum(saved), abs=0.001)


def test_nothing_is_skipped_before_the_load_runs_or_after_an_abort() -> None:
    decided = go.Decided("baseline", ("all",))
    engine = Engine(plan(effect("a/x", link("api-0"), 10, 10)))
    engine.feed(go.Begin())
    assert engine.feed(decided) == []
    engine = begun(plan(effect("a/x", link("api-0"), 10, 10)))
    engine.feed(go.Abort("stop", "person"))
    assert engine.feed(decided) == []
    assert engine.ahead == 0


def test_a_fault_is_looked_at_two_seconds_before_it() -> None:
    engine = begun(plan(effect("a/x", link("api-0"), 10, 10)))
    assert engine.feed(go.Tick(7.5)) == []
    assert engine.feed(go.Tick(8.0)) == [go.LookBefore("a/x")]


def test_a_run_ends_once_its_load_has_ended() -> None:
    engine = begun(plan())
    assert engine.feed(go.Tick(29.5)) == []
    assert engine.feed(go.Tick(30.0)) == [go.StopLoad()]
    assert engine.load == "stopping"
    assert engine.feed(go.Tick(31.0)) == []
    assert engine.feed(go.Done(go.StopLoad())) == [go.Finish()]


@pytest.mark.parametrize("early", [go.StartLoad, go.Begin])
def test_second_0_lies_where_the_load_says_when_it_runs(early: type) -> None:
    """Until then ticks count as if it began now, and it begins a little later."""
    engine = Engine(plan(effect("a/x", link("api-0"), 1, 5)))
    if early is go.Begin:
        engine.feed(go.Tick(-WARMUP_S))
    todo = engine.feed(go.Begin())
    if early is go.StartLoad:
        engine.feed(go.Tick(-WARMUP_S))
    gates, now = [], -WARMUP_S - 0.4
    while now < 1.2:
        while todo:
            command = todo.pop(0)
            gates += [now] * isinstance(command, go.AskGate)
            if not isinstance(command, (go.Write, go.Finish)):
                todo += engine.feed(go.Done(command, answer(command)))
        now += 0.1
        todo += engine.feed(go.Tick(now))
    assert gates == [pytest.approx(1.0, abs=0.11)]


def test_a_clock_that_is_set_back_holds_nothing_longer() -> None:
    engine = begun(plan(effect("a/x", link("api-0"), 1, 5)))
    for now in (0.0, 0.5, -3600.0, -3599.6):
        engine.feed(go.Tick(now))
    assert engine._timeline.passed == pytest.approx(0.9)


@pytest.mark.parametrize("failing", ["refused", "gone"])
def test_an_act_that_failed_ends_its_receipt(failing: str) -> None:
    engine = Engine(plan(effect("a/x", link("api-0"), 1, 5)))
    engine.feed(go.Begin())
    life = engine.lives["a/x"]
    engine._lives.start(life)
    engine._lives.snapshot_taken(life, "before")
    act = go.Perform("a/x", "r")
    said = engine.feed(go.Failed(act, "no", target_gone=failing == "gone"))
    steps = [command.step for command in said if isinstance(command, go.Write)]
    assert {"refused": "gone", "gone": "target_gone"}[failing] in steps
    assert engine.aborted
