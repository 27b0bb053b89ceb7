"""What the loop does when its time is over: nobody is left without a word."""

import threading
from types import SimpleNamespace

import pytest

from harness.agent.effects import Exercised, Snapshot
from harness.run import interpreter, lifecycle
from harness.run.engine import Engine
from harness.simulation.plans import plan_of

SECOND = 1.0


class Performer:
    """All goes well, but nobody ever answers whether something is gone."""

    def __init__(self):
        self.over = threading.Event()
        self.asked = threading.Event()

    def perform(self, command):
        match command:
            case lifecycle.TakeSnapshot():
                return Snapshot("none")
            case lifecycle.CheckGone():
                self.asked.set()
                self.over.wait(60)
        return lifecycle.Finding(fine=True)

    def judged(self, effect):
        return ()

    def exercised(self, effect):
        return Exercised(0, "")

    def hurry(self):
        pass


def load():
    return SimpleNamespace(
        start=lambda: None, stop=lambda: None, hurry=lambda: None, epoch=lambda: 0.0,
        gate=lambda *, alone: "", watch=lambda now, active: None,
    )  # fmt: skip


def world():
    hands = SimpleNamespace(renew=lambda: None)
    return SimpleNamespace(hands=hands, troubles=lambda: (), moves=lambda: ())


class Journal:
    def __init__(self):
        self.steps = []

    def append(self, step, effect="", **data):
        self.steps.append((step, effect, data))

    def of(self, step):
        return {effect: data for name, effect, data in self.steps if name == step}


@pytest.fixture
def performer():
    made = Performer()
    yield made
    made.over.set()


def test_what_was_not_seen_gone_in_time_is_left_behind(performer, monkeypatch):
    monkeypatch.setattr(interpreter, "GRACE_S", SECOND)
    plan, journal = plan_of(1), Journal()
    loop = interpreter.Interpreter(
        plan, Engine(plan), performer, world(), journal, load(), lambda: "", SECOND,
        lambda intervention, beside: "",
    )  # fmt: skip
    ending = threading.Thread(target=lambda: performer.asked.wait(60) and loop.end("SIGTERM"))
    ending.start()
    loop.run()
    ending.join()
    open_ = journal.of("injecting").keys() - journal.of("gone").keys()
    assert open_
    assert journal.of("left_behind").keys() == open_
    assert all("1 s" in data["what"][0] for data in journal.of("left_behind").values())
