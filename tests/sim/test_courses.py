"""Runs by hand, told command by command in `courses.txt`: what the engine asks for, in which words.

`UPDATE_GOLDEN=1` writes the file anew; what changes there changes what a run does.
"""

from __future__ import annotations

import os
from dataclasses import is_dataclass, replace
from pathlib import Path

import pytest

from harness.agent.effects import Kill, Link, LinkProfile, Processes, Snapshot, Spared
from harness.record.moves import Readdressed, Replaced
from harness.record.plan import Plan, PlannedEffect
from harness.run import lifecycle as go
from harness.run.dispatch import dispatch
from harness.run.engine import Engine

TOLD = Path(__file__).with_name("courses.txt")
BEFORE = Snapshot("x", {"was": "so"})
STEP_S = 0.25
API, EDGE, SERVER = Link("api", "", "", ""), Link("edge", "", "", ""), Processes("api")


def effect(id, at=1.0, lasts=2.0, on=API, *, event=False, prepare=False):
    does = Kill() if event else LinkProfile()
    return PlannedEffect(id, id[0], "x", "t", on, does, event, at, lasts, "x", "", prepare)


ONE = (effect("f/api"),)
TWO = (effect("f/api", 0.5, 3.0), effect("g/api", 1.0, 1.0))
EVENT = (effect("k/api", on=SERVER, event=True),)
PREPARED = (effect("p/edge", 0, 0, EDGE, prepare=True), effect("t/edge", on=EDGE), *EVENT)
BOTH = (effect("f/api"), effect("f/edge", on=EDGE))
FOLLOWED = (
    PlannedEffect("f/api", "f", "x", "api", API, LinkProfile(peers=("a", "b", "front")), False,
                  1.0, 6.0, "x", "x on api", follows=True),
)  # fmt: skip
ENDS = (replace(FOLLOWED[0], follows=False),)
PROXIED = (replace(PREPARED[0], target="edge", resource=EDGE), replace(
    FOLLOWED[0], id="t/edge", intervention="t", target="edge", resource=EDGE))  # fmt: skip
NEW = Link("new", "", "", "")
REPLACED, MOVED = Replaced(API, NEW), Readdressed(("a", "b"), ("b", "c"))
AND = (*FOLLOWED, effect("g/api", 1.5, 2.0))
BEHIND = (effect("a/api", 0.5, 6.5), replace(FOLLOWED[0], does=LinkProfile(peers=("a", "b"))))
NAMED = (replace(FOLLOWED[0], id="f/api->api/2", target="api->api", says="x on api->api, api->api",
                 does=LinkProfile(peers=("a",), spared=(Spared("dns", ("d",)),))),)  # fmt: skip
NEAR = replace(NEW, spared=(Spared("dns", ("e",)), Spared("probes", ("n",))))
QUIT_NOW = go.Abort("stop", "person")
QUIT = {2.0: QUIT_NOW}
DECIDED = {t / 4: go.Decided("baseline", ("all",)) for t in range(40)}

#: Plan, what commands come to that do not simply succeed (one word each time), what else happens.
COURSES = {
    "all goes well": (ONE, {}, {}),
    "two overlap": (TWO, {}, {}),
    "prepared, a condition and an event on it": (PREPARED, {}, {}),
    "one fault on two targets": (BOTH, {}, {}),
    "nothing is planned": ((), {}, {}),
    "nobody sees it": (ONE, {"Look f/api": "no no no no"}, {}),
    "looks fail": (ONE, {"Look f/api": "fail fail"}, {}),
    "an event that is seen late": (EVENT, {"Perform k/api": "no", "Look k/api": "no no"}, {}),
    "an event that nobody sees": (EVENT, {"Perform k/api": "no", "Look k/api": "no " * 12}, {}),
    "an act fails": (EVENT, {"Perform k/api": "fail"}, {}),
    "an act finds nothing": (EVENT, {"Perform k/api": "gone"}, {}),
    "the look before fails": (ONE, {"LookBefore f/api": "fail"}, {}),
    "the look before finds nothing": (ONE, {"LookBefore f/api": "gone"}, {}),
    "the snapshot fails": (ONE, {"TakeSnapshot f/api": "fail"}, {}),
    "the gate is closed": (ONE, {"AskGate f": "closed"}, {}),
    "the gate fails": (ONE, {"AskGate f": "fail"}, {}),
    "the load does not start": (ONE, {"StartLoad": "fail"}, {}),
    "the load does not end well": (ONE, {"StopLoad": "fail"}, {}),
    "preparing fails": (PREPARED, {"TakeSnapshot p/edge": "fail"}, {}),
    "an inject is refused": (ONE, {"Make f/api": "fail"}, {}),
    "an inject finds nothing": (ONE, {"Make f/api": "gone"}, {}),
    "the second inject is refused": (TWO, {"Make g/api": "fail"}, {}),
    "a revert works the third time": (ONE, {"Make f/api": "ok fail fail ok"}, {}),
    "a revert never works": (TWO, {"Make f/api": "ok fail fail fail"}, {}),
    "a revert finds nothing": (TWO, {"Make f/api": "ok gone"}, {}),
    "it is gone at the fourth look": (ONE, {"CheckGone f/api": "no fail no ok"}, {}),
    "nobody can see whether it is gone": (ONE, {"CheckGone f/api": "fail fail fail fail"}, {}),
    "it stays": (TWO, {"CheckGone g/api": "no fail no no"}, {}),
    "the check finds nothing": (ONE, {"CheckGone f/api": "gone"}, {}),
    "a person ends it": (TWO, {}, QUIT),
    "a person ends it twice, before it began": (PREPARED, {}, {-1.0: QUIT[2.0], -0.5: QUIT[2.0]}),
    "a person ends it while it is prepared": (PREPARED, {"Make p/edge": "late"}, {-1.0: QUIT[2.0]}),
    "a person ends it while one is injected": (TWO, {"Make g/api": "late"}, QUIT),
    "a person ends it before a snapshot": (ONE, {"TakeSnapshot f/api": "late"}, QUIT),
    "a person ends an event": (EVENT, {"Perform k/api": "no", "Look k/api": "late no"}, QUIT),
    "everything is decided early": (TWO, {}, DECIDED),
    "decided, and prepared": (PREPARED, {}, DECIDED),
    "the target is replaced": (FOLLOWED, {"Make f/api": "ok gone"}, {2.5: REPLACED}),
    "the target is replaced, and was still there": (FOLLOWED, {}, {2.5: REPLACED}),
    "the newcomer goes as well": (
        FOLLOWED,
        {"Make f/api": "ok gone"},
        {2.5: REPLACED, 4.0: Replaced(NEW, EDGE)},
    ),
    "the newcomer is gone at once": (
        FOLLOWED,
        {"Make f/api": "ok gone", "TakeSnapshot f/new~1": "gone"},
        {2.5: REPLACED},
    ),
    "a newcomer that cannot be looked at": (
        FOLLOWED,
        {"Make f/api": "ok gone", "LookBefore f/new~1": "fail"},
        {2.5: REPLACED},
    ),
    "the target is replaced, and the file says end": (ENDS, {}, {2.5: REPLACED}),
    "the target is replaced too late": (FOLLOWED, {}, {5.0: REPLACED}),
    "a person ends it after the target was replaced": (
        FOLLOWED,
        {"Make f/new~1": "late"},
        {2.5: REPLACED, 3.5: QUIT_NOW},
    ),
    "a proxied edge is replaced": (PROXIED, {}, {2.5: Replaced(EDGE, NEW)}),
    "the target is replaced just in time": (FOLLOWED, {}, {4.0: REPLACED}),
    "the target is replaced at the very end": (FOLLOWED, {}, {6.5: REPLACED}),
    "the newcomer is looked at too late": (
        FOLLOWED,
        {"LookBefore f/new~1": "late"},
        {2.5: REPLACED, 6.25: go.Decided("baseline", ())},
    ),
    "the newcomer is looked at just in time": (
        FOLLOWED,
        {"LookBefore f/new~1": "late"},
        {2.5: REPLACED, 6.0: go.Decided("baseline", ())},
    ),
    "what prepares is replaced, and no fault follows": (
        (PROXIED[0], replace(PROXIED[1], follows=False)),
        {},
        {2.5: Replaced(EDGE, NEW)},
    ),
    "what prepares takes its time at the newcomer": (
        PROXIED,
        {"Make p/new~3": "late"},
        {2.5: Replaced(EDGE, NEW), 3.5: go.Decided("baseline", ())},
    ),
    "a newcomer spares what is its own, and is named for itself": (
        NAMED,
        {},
        {2.5: Replaced(API, NEAR)},
    ),
    "one of two that overlap moves on": (AND, {}, {2.5: MOVED}),
    "it stands behind one that does not move": (BEHIND, {}, {2.5: MOVED}),
    "the other end moves before the inject": (FOLLOWED, {}, {0.5: MOVED}),
    "nobody was at the other end": (FOLLOWED, {}, {2.5: Readdressed((), ("c",))}),
    "the other end moves": (FOLLOWED, {}, {2.5: MOVED}),
    "the other end moves to somewhere else": (FOLLOWED, {}, {2.5: Readdressed(("a", "x"), ("y",))}),
    "a person ends it while the other end moves": (
        FOLLOWED,
        {"Make f/api": "ok late"},
        {2.5: MOVED, 3.0: QUIT_NOW},
    ),
    "moving on is refused": (FOLLOWED, {"Make f/api": "ok fail"}, {2.5: MOVED}),
    "moving on finds nothing": (FOLLOWED, {"Make f/api": "ok gone"}, {2.5: MOVED}),
    "no receipt on disk": (ONE, {"receipt f/api": "fail"}, {}),
    "no inject on disk": (TWO, {"injecting g/api": "fail"}, {}),
    "no revert on disk": (TWO, {"reverting g/api": "fail"}, {}),
    "a disk that takes nothing": (
        TWO,
        dict.fromkeys(("injected f/api", "abort"), "fail " * 20),
        {},
    ),
}


class Course:
    def __init__(self, effects, script, events):
        lasts = max([e.at + e.lasts for e in effects], default=1.0) + 0.5
        self.engine = Engine(
            Plan("r", "n", "", 1, "", "", "x", effects, (), (), None, 1.0, lasts, 0.0, 60.0)
        )
        self.script = {key: words.split() for key, words in script.items()}
        self.events = dict(events)
        self.lines, self.todo, self.late = [], [], []
        self.now, self.on = -1.0, None

    def told(self):
        self.feed(go.Begin())
        for _ in range(200):
            if self.engine.finished:
                break
            self.step()
        ends = [f"{life.plan.id} {life.state.value}" for life in self.engine.lives.values()]
        return [*self.lines, f"over: {', '.join(ends) or 'nothing'}; load {self.engine.load}"]

    def step(self):
        while self.todo:
            self.feed(self.answer(self.todo.pop(0)))
        self.now += STEP_S
        due = [t for t in self.events if t <= self.now]
        for t in due:
            self.feed(self.events.pop(t))
        if due:  # what was late comes after whatever else happened
            self.todo, self.late = self.todo + self.late, []
        if self.engine.load == "running":
            self.feed(go.Tick(self.now))

    def feed(self, event):
        unwritten, cancelled = dispatch(self.engine.feed(event), self.write, self.todo.append)
        for command in self.todo[:]:
            if self.script.get(key_of(command), [])[:1] == ["late"]:
                self.script[key_of(command)].pop(0)
                self.todo.remove(command)
                self.late.append(command)
        self.note()
        for failure in (*unwritten, *cancelled):
            self.feed(failure)

    def note(self):
        on = (self.engine.active, tuple(e.id for _, e in self.engine.in_force))
        if on != self.on:
            self.on = on
            self.lines.append(
                f"{self.now:5.2f}  on: {', '.join(on[0])}; in force: {', '.join(on[1])}"
            )

    def write(self, command):
        failed = self.word(f"{command.step} {command.effect}".strip()) == "fail"
        data = {key: short(value) for key, value in command.data.items()} or ""
        self.lines.append(f"{self.now:5.2f}  {'NOT ' if failed else ''}{command.step} "
                          f"{command.effect} {data}".rstrip())  # fmt: skip
        return "no space" if failed else ""

    def word(self, key):
        words = self.script.get(key) or ["ok"]
        return words.pop(0) if self.script.get(key) else words[0]

    def answer(self, command):
        word = self.word(key_of(command))
        self.lines.append(f"{self.now:5.2f}      {command_told(command)} -> {word}")
        if word in ("fail", "gone"):
            return go.Failed(command, f"it did {word}", target_gone=word == "gone")
        return go.Done(command, self.result(command, word))

    def result(self, command, word):
        match command:
            case go.TakeSnapshot():
                return BEFORE
            case go.AskGate():
                return "broken" if word == "closed" else ""
        seen = {"seen": word}
        return go.Finding(word != "no", "" if word != "no" else "still there", seen)


def short(value):
    if value == BEFORE:
        return "before"
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, LinkProfile):
        spared = (f"not {' '.join(spared.addresses)}" for spared in value.spared)
        return " ".join(("LinkProfile", *value.peers, *spared))
    if isinstance(value, dict):  # an effect that joins
        told = {**value, "resource": value["resource"].target, "does": short(value["does"])}
        return " ".join(f"{key}={told[key]}" for key in told if told[key] not in ("", False))
    return type(value).__name__ if is_dataclass(value) else value


def key_of(command):
    about = getattr(command, "effect", getattr(command, "intervention", ""))
    return f"{type(command).__name__} {about}".strip()


def command_told(command):
    if isinstance(command, go.Make):
        ids = ", ".join(f"{e.id} {short(e.effect)} since {e.since:g}" for e in command.in_force)
        same = "" if command.snapshot == BEFORE else f" NOT {BEFORE}"
        return f"Make {command.effect} #{command.generation} of {command.receipt}{same}: [{ids}]"
    more = {k: v for k, v in vars(command).items() if k not in ("effect", "intervention")}
    more = {key: short(value) for key, value in more.items()}
    return f"{key_of(command)} {more or ''}".rstrip()


@pytest.fixture(scope="module")
def golden():
    if os.environ.get("UPDATE_GOLDEN"):
        told = {name: Course(*course).told() for name, course in COURSES.items()}
        TOLD.write_text("".join(f"## {x}\n" + "\n".join([*told[x], "\n"]) for x in told))
    parts = (part.partition("\n") for part in TOLD.read_text().split("## ")[1:])
    return {name: body.rstrip("\n").split("\n") for name, _, body in parts}


@pytest.mark.parametrize("name", COURSES)
def test_a_course_is_as_it_is_told(name, golden):
    assert Course(*COURSES[name]).told() == golden[name]


def test_nothing_is_on_when_a_course_is_over():
    for name, course in COURSES.items():
        run = Course(*course)
        run.told()
        assert run.engine.finished, name
        assert not run.engine.in_force, name
        assert not run.engine.active, name
