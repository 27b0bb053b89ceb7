"""The engine's own assertions: broken by hand, each says which of its promises does not hold."""

from __future__ import annotations

import pytest

from harness.agent.effects import InForce, Link, LinkProfile, Snapshot
from harness.record.plan import Plan, PlannedEffect
from harness.run import lifecycle as go
from harness.run.lifecycle import State
from harness.run.lives import Lives
from harness.run.timeline import Timeline

API = Link("api", "", "", "")
EFFECTS = tuple(
    PlannedEffect(id, id, "x", "t", API, LinkProfile(), event=False, at=0.0, lasts=9.0,
                  mechanism="m", says="")
    for id in ("f", "g")
)  # fmt: skip
PLAN = Plan("r", "n", "", 1, "", "", "x", EFFECTS, (), (), None, 1.0, 9.0, 0.0, 60.0)
STOP = go.Abort("stop", "person")


class Broken:
    """Two effects on one resource, the first of them under way."""

    def __init__(self):
        self.timeline, self.said = Timeline(PLAN), []
        self.lives = Lives(self.timeline, lambda *said: self.said.extend(said), self.said.append)
        self.first, self.second = self.timeline.lives.values()
        self.lives.snapshot_taken(self.first, Snapshot("x", {}))
        self.holding = self.lives.holdings.of(self.first)
        self.asked = self.said[-1]

    def made(self):
        self.lives.made(self.first, self.asked)


def injects_without_a_receipt(run):
    run.holding.receipt = ""
    run.lives._inject(run.second, run.holding)


def injects_after_an_abort(run):
    run.timeline.aborted = STOP
    run.lives._inject(run.second, run.holding)


def changes_without_a_receipt(run):
    run.made()
    run.holding.receipt = ""
    run.lives.revert(run.first)


def changes_without_a_snapshot(run):
    run.made()
    run.holding.snapshot = None
    run.lives.revert(run.first)


def lets_in_after_an_abort(run):
    run.made()
    run.timeline.aborted = STOP
    run.lives.holdings.change(run.second, "injecting")


def takes_back_the_first(run):
    run.made()
    run.lives.start(run.second)
    run.lives.made(run.second, run.said[-1])
    run.timeline.aborted = STOP
    run.lives.revert(run.first)


def takes_back_the_first_of_two_that_came_as_one(run):
    run.second.order = run.first.order
    run.made()
    run.holding.in_force += (InForce("g", LinkProfile(), 0.0),)
    run.timeline.aborted = STOP
    run.lives.revert(run.first)


def hears_an_answer_twice(run):
    run.made()
    run.made()


def ends_in_a_change(run):
    run.lives.holdings.assert_over()


def ends_with_a_fault(run):
    run.made()
    run.lives.holdings.assert_over()


def ends_with_a_receipt(run):
    run.made()
    run.holding.in_force = ()
    run.lives.holdings.assert_over()


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (injects_without_a_receipt, "a receipt comes first"),
        (injects_after_an_abort, "nothing is injected after an abort"),
        (changes_without_a_receipt, "a receipt comes first"),
        (changes_without_a_snapshot, "and holds the snapshot"),
        (lets_in_after_an_abort, "nothing is injected after an abort"),
        (takes_back_the_first, "the latest goes first"),
        (takes_back_the_first_of_two_that_came_as_one, "the latest goes first"),
        (hears_an_answer_twice, "an answer to a question"),
        (ends_in_a_change, "no change is under way"),
        (ends_with_a_fault, "nothing is in force"),
        (ends_with_a_receipt, "no receipt is open"),
    ],
)
def test_what_breaks_a_promise_is_said(breaks, says):
    with pytest.raises(AssertionError) as error:
        breaks(Broken())
    assert error.value.args[0] == says


def test_a_receipt_ends_with_the_last_effect():
    run = Broken()
    run.made()
    run.lives.start(run.second)
    run.lives.made(run.second, run.said[-1])
    for life in (run.first, run.second):
        assert run.holding.receipt == "f#1"
        run.lives.revert(life)
        run.lives.made(life, run.said[-1])
        run.lives.checked(life, go.Finding(fine=True))
    assert run.holding.receipt == ""
    run.lives.holdings.assert_over()


def test_what_was_left_behind_keeps_its_receipt():
    run = Broken()
    run.made()
    run.holding.in_force, run.first.state = (), State.LEFT_BEHIND
    run.lives.holdings.assert_over()
