"""The engine, broken on purpose: each mutant is one bug that somebody could write.

They break it from inside, on classes without their own assertions (`bare`), so that what the
simulation sees from outside is tested, and not what the engine says of itself.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from types import FunctionType

from harness.agent.effects import InForce, Snapshot
from harness.record import journal
from harness.run import dispatch, engine, holdings, lives, newcomers, recover, timeline
from harness.run import lifecycle as go
from harness.run.lifecycle import State
from harness.simulation import crash
from harness.simulation.substrate import Substrate

Engine, Lives, Holdings = engine.Engine, lives.Lives, holdings.Holdings
Timeline = timeline.Timeline


def bare(monkeypatch) -> None:
    """Take the assertions out of the engine, as `python -O` does."""
    for cls in (Engine, Lives, Holdings):
        module = inspect.getmodule(cls)
        code = compile(inspect.getsource(module), "bare", "exec", optimize=1, dont_inherit=True)
        made = {"__name__": module.__name__}
        exec(code, made)
        for name, method in vars(made[cls.__name__]).items():
            if inspect.isfunction(method):
                again = FunctionType(method.__code__, vars(module), name, method.__defaults__)
                again.__kwdefaults__ = method.__kwdefaults__
                monkeypatch.setattr(cls, name, again)


MUTANTS = {}


def mutant(invariant):
    """The decorated `function(patch)` breaks it, by `patch(owner, name, replacement)`."""

    def keep(function):
        MUTANTS[function.__name__] = (function, invariant)
        return function

    return keep


def _saying(old, change):
    """A method that says other commands than it did."""

    def method(self, *args, **kwargs):
        say, said = self._say, []
        self._say = lambda *commands: said.extend(commands)
        try:
            result = old(self, *args, **kwargs)
        finally:
            self._say = say
        self._say(*change(said))
        return result

    return method


def _heedless(old):
    """A method that does not know of an abort."""

    def method(self, *args):
        aborted, self._timeline.aborted = self._timeline.aborted, None
        old(self, *args)
        self._timeline.aborted = self._timeline.aborted or aborted

    return method


def without(step):
    return lambda said: [c for c in said if getattr(c, "step", "") != step]


# ---------------------------------------------------------------- receipts and the journal


@mutant("an effect has its receipt on disk")
def receipt_not_written(patch):
    patch(Lives, "_write_receipt", _saying(Lives._write_receipt, without("receipt")))


@mutant("an effect is on disk before it is made")
def effect_before_its_line(patch):
    patch(Holdings, "next_change", _saying(Holdings.next_change, lambda said: said[::-1]))


@mutant("an effect is on disk before it is made")
def effect_without_its_line(patch):
    patch(Holdings, "next_change", _saying(Holdings.next_change, without("injecting")))


@mutant("an effect has its receipt on disk")
def effect_in_spite_of_the_disk(patch):
    patch(dispatch, "_BEFORE_EFFECT", frozenset())


@mutant("a receipt holds what was before any fault")
def receipt_of_another_time(patch):
    def taken(self, life, snapshot):
        holding = self.holdings.of(life)
        life.seen_generation = holding.generation
        old(self, life, snapshot)

    old = Lives.snapshot_taken
    patch(Lives, "snapshot_taken", taken)


@mutant("a receipt ends reverted or dirty")
def end_not_written(patch):
    patch(Lives, "_gone", _saying(Lives._gone, without("gone")))


# ---------------------------------------------------------------- abort


@mutant("nothing is injected after an abort")
def abort_not_heeded(patch):
    patch(Lives, "snapshot_taken", _heedless(Lives.snapshot_taken))


@mutant("nothing is injected after an abort")
def abort_keeps_what_waits(patch):
    patch(Holdings, "drop_waiting", lambda self: None)


@mutant("nothing is held after an abort")
def abort_takes_nothing_back(patch):
    patch(Lives, "revert_due", _heedless(Lives.revert_due))
    patch(Engine, "_revert_all", lambda self, lives: None)


@mutant("no effect is held beyond its time")
def injected_while_aborting(patch):
    patch(Lives, "_injected", _heedless(Lives._injected))
    patch(Lives, "revert_due", lambda self: None)


@mutant("after an abort the latest goes first")
def first_injected_first_reverted(patch):
    patch(Holdings, "_latest_first", lambda self, holding: None)


@mutant("who cannot take back ends the run")
def dirty_and_goes_on(patch):
    def left(self, life, reason):
        give_up, self._give_up = self._give_up, lambda reason: None
        old(self, life, reason)
        self._give_up = give_up

    old = Lives._left
    patch(Lives, "_left", left)


# ---------------------------------------------------------------- taking back


@mutant("no effect is held beyond its time")
def revert_forgotten(patch):
    patch(Lives, "revert_due", lambda self: None)


@mutant("what was injected is taken back")
def failed_inject_forgotten(patch):
    def failed(self, life, event):
        if life.state is State.INJECTING:
            holding = self.holdings.of(life)
            self.holdings.answered(holding, holding.without(life.plan.id))
            life.state = State.SKIPPED
            self._give_up("failed")
            self.holdings.next_change(holding)
        else:
            old(self, life, event)

    old = Lives._make_failed
    patch(Lives, "_make_failed", failed)


@mutant("nothing is given up before it was tried again")
def gives_up_at_once(patch):
    patch(lives, "REVERT_TRIES", 1)


@mutant("gone is what a witness saw")
def looks_away(patch):
    def checked(self, life, finding):
        self._gone(life, {})

    patch(Lives, "checked", checked)


@mutant("every run ends")
def never_gives_up(patch):
    patch(lives, "CHECK_TRIES", 1 << 30)
    old = Lives.checked
    patch(Lives, "checked", lambda self, life, finding: old(self, life, go.Finding(fine=False)))


@mutant("gone is what a witness saw")
def calls_it_gone_too_soon(patch):
    def made(self, life, command):
        old(self, life, command)
        if life.state is State.CHECKING:
            self._gone(life, {})

    old = Lives.made
    patch(Lives, "made", made)


@mutant("an effect is injected once")
def takes_back_nothing(patch):
    def next_change(said):
        return [
            go.Make(c.effect, c.receipt, c.generation, c.snapshot, (*c.in_force, kept[c.effect]))
            if isinstance(c, go.Make) and c.effect in kept else kept.update(noted(c)) or c
            for c in said
        ]  # fmt: skip

    kept: dict[str, InForce] = {}

    def noted(c):
        return {e.id: e for e in c.in_force if e.id == c.effect} if isinstance(c, go.Make) else {}

    patch(Holdings, "next_change", _saying(Holdings.next_change, next_change))
    looks_away(patch)


# ---------------------------------------------------------------- overlap


@mutant("effects that overlap end independently")
def tears_down_the_other(patch):
    def alone(said):
        return [
            go.Make(c.effect, c.receipt, c.generation, c.snapshot,
                    tuple(e for e in c.in_force if e.id == c.effect))
            if isinstance(c, go.Make) else c for c in said
        ]  # fmt: skip

    patch(Holdings, "next_change", _saying(Holdings.next_change, alone))


@mutant("one change at a time on a resource")
def two_changes_at_once(patch):
    def change(self, life, way):
        self.of(life).under_way = None
        old(self, life, way)

    old = Holdings.change
    patch(Holdings, "change", change)


@mutant("generations go up")
def generation_stands_still(patch):
    def next_change(self, holding):
        before = holding.generation
        old(self, holding)
        holding.generation = before

    old = Holdings.next_change
    patch(Holdings, "next_change", next_change)


@mutant("a revert injects nothing")
def revert_that_injects(patch):
    def next_change(self, holding):
        coming = [e.plan for e in self._timeline.lives.values()
                  if e.state is State.PLANNED and e.plan.resource == holding.resource]  # fmt: skip
        more = tuple(InForce(e.id, e.does, 0.0) for e in coming if not e.event)
        say = self._say
        self._say = lambda *commands: say(*(
            go.Make(c.effect, c.receipt, c.generation, c.snapshot, c.in_force + more)
            if isinstance(c, go.Make) else c for c in commands
        ))  # fmt: skip
        old(self, holding)
        self._say = say

    old = Holdings.next_change
    patch(Holdings, "next_change", next_change)


# ---------------------------------------------------------------- gates, witnesses, time


@mutant("an effect is injected once")
def gate_asked_again(patch):
    def ask(self, intervention):
        self._gates.discard(intervention)
        old(self, intervention)

    old = Engine._ask_gate
    patch(Engine, "_ask_gate", ask)


@mutant("nothing is injected before its gate opened")
def gate_not_waited_for(patch):
    def ask(self, intervention):
        known = set(self._gates)
        old(self, intervention)
        if self._gates != known:
            for effect in self.plan.of(intervention):
                self._lives.start(self.lives[effect.id])

    old = Engine._ask_gate
    patch(Engine, "_ask_gate", ask)


@mutant("witnessed is what a witness saw")
def witness_not_asked(patch):
    old = Lives.looked
    patch(Lives, "looked", lambda self, life, finding: old(self, life, go.Finding(fine=True)))


@mutant("gone is what a witness saw")
def gone_without_a_witness(patch):
    old = Lives.checked
    patch(Lives, "checked", lambda self, life, finding: old(self, life, go.Finding(fine=True)))


@mutant("no effect ends before its time")
def time_of_the_plan(patch):
    def revert_due(self):
        for life in self._timeline.those(State.HELD):
            over = self._timeline.now >= life.plan.at + life.plan.lasts
            if not life.plan.event and (over or self._timeline.aborted):
                self.revert(life)

    patch(Lives, "revert_due", revert_due)


@mutant("no effect is held beyond its time")
def clock_believed(patch):
    def tick(self, now):
        self._timeline.passed = now
        self._due()

    patch(Engine, "_tick", tick)


@mutant("no fault is cut short that nobody saw")
def unseen_is_enough(patch):
    def next_at(self):
        for life in self.lives.values():
            life.witnessed = True
        return old(self)

    old = Timeline.next_at
    patch(Timeline, "next_at", next_at)


# ---------------------------------------------------------------- what is replaced, and what moves


@mutant("a fault follows only what was replaced")
def newcomers_name_themselves(patch):
    old = newcomers._newcomer

    def newcomer(*args):
        new = old(*args)
        return replace(new, instead_of=new.id)

    patch(newcomers, "_newcomer", newcomer)


@mutant("what moves is on, and stays on")
def what_moves_is_put_away(patch):
    def put(in_force, new):
        others = tuple(e for e in in_force if e.id != new.id)
        return others if others != in_force else (*in_force, new)

    patch(holdings, "_put", put)


# ---------------------------------------------------------------- the end


@mutant("every change was answered")
def ends_before_all_is_over(patch):
    def close(self):
        old(self)
        if not self.finished and self.aborted:
            self.finished = True

    old = Engine._close
    patch(Engine, "_close", close)


@mutant("the load was ended")
def load_goes_on(patch):
    def close(self):
        if not self.finished and self._timeline_over():
            self._close()

    patch(Engine, "_close_when_over", close)


# ---------------------------------------------------------------- recover and the journal's reader


@mutant("after a crash recover takes everything back")
def recovers_what_was_seen_made(patch):
    patch(recover, "_BEGUN", ("injected", "acted"))


@mutant("after a crash recover takes everything back")
def recover_trusts_reverting(patch):
    patch(recover, "_OVER", ("gone", "target_gone", "recovered", "reverting"))


@mutant("recover invents nothing")
def recover_forgets_ends(patch):
    patch(recover, "_OVER", ())


@mutant("a torn line is no step")
def torn_line_believed(patch):
    def verify(raw, before):
        return old(raw if raw.endswith(b"\n") else raw + b"\n", before)

    old = journal._verify
    patch(journal, "_verify", verify)


@mutant("a torn line is no step")
def torn_journal_unread(patch):
    old = journal.chain_in

    def chain_in(data):
        return journal.Chain() if not data.endswith(b"\n") else old(data)

    patch(crash, "chain_in", chain_in)


@mutant("recover makes what was before any fault")
def recover_misreads_receipts(patch):
    patch(recover, "decode", lambda data: Snapshot("simulated", {"in force": "something"}))


@mutant("nothing is left behind unnoticed")
def agent_takes_old_generations(patch):
    class Never(dict):
        def __setitem__(self, key, value):
            pass

    old = Substrate.__post_init__

    def begin(self):
        old(self)
        self.generations = Never()

    patch(Substrate, "__post_init__", begin)


@mutant("every effect ends")
def finishes_in_the_middle(patch):
    def close(self):
        self.finished = self.finished or bool(self.aborted)
        old(self)

    old = Engine._close
    patch(Engine, "_close", close)
