"""One schedule: the engine against a simulated substrate, in an order that a seed decides.

Pure: the clock is a number, the disk a list, and the same seed does the same again. Commands are
carried out one at a time and answered at once or later; ticks, aborts and whatever else a run can
meet come between them, at any step.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from harness.agent.effects import Link
from harness.record.journal import Step
from harness.record.moves import Readdressed, Replaced
from harness.run import lifecycle as go
from harness.run.dispatch import dispatch
from harness.run.engine import Engine
from harness.run.lifecycle import State
from harness.run.recover import open_in
from harness.simulation.crash import crash
from harness.simulation.invariants import Watch, hold
from harness.simulation.plans import ELSEWHERE, PEERS, PLANS, WARMUP_S, plan_of
from harness.simulation.substrate import Substrate
from harness.simulation.troubles import Troubles, draw

#: A schedule that takes more steps than this will never end.
STEPS_AT_MOST = 3000
TICK_S = (0.2, 1.4)
HOUR_S = 3600.0

#: Where commands are slow, those of one kind are slower than all others.
_SLOW = (go.TakeSnapshot, go.Make, go.CheckGone, go.Look, go.LookBefore, go.AskGate, go.Perform)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Course:
    """How a schedule went: its steps, what reached the journal, and whether it was cut short."""

    steps: int
    written: int
    troubles: Troubles
    crashed: bool


def run_schedule(seed: int, say: Say | None = None) -> Course:
    """Raises `Violation`, or the assertion of the engine that failed."""
    return Schedule(seed, say).run()


@dataclass
class _Sent:
    """A command under way; `answer` once it was carried out. It is passed over `wait` times."""

    command: go.Command
    answer: go.Event | None = None
    wait: int = 0


@dataclass
class _Clock:
    """True time, and by how much the clock that the engine is told is wrong."""

    now: float = -WARMUP_S
    wrong: float = 0.0
    #: What an effect may be held beyond its time: the ticks in which the clock was set back.
    slack_s: float = 1e-9

    def tick(self, chance: random.Random, *, steps: bool) -> float:
        passed = chance.uniform(*TICK_S)
        self.now += passed
        if steps and chance.random() < 0.1:
            self.wrong += chance.choice((HOUR_S, -HOUR_S))
            self.slack_s += passed
        return self.now + self.wrong


@dataclass
class Schedule:
    """A schedule under way; `run` takes it to its end by its seed, its other methods by hand."""

    seed: int
    say: Say | None = None
    clock: _Clock = field(default_factory=_Clock)
    journal: list[Step] = field(default_factory=list)
    lines: int = 0
    unwritten: bool = False
    sent: list[_Sent] = field(default_factory=list)
    cancelled: list[go.Event] = field(default_factory=list)
    addresses: list[tuple[str, ...]] = field(default_factory=lambda: [PEERS, ELSEWHERE])
    moved: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.plan = plan_of(self.chance.randrange(PLANS))
        self.troubles = draw(self.chance)
        self.slow = self.chance.choice(_SLOW)
        self.engine = Engine(self.plan)
        self.substrate = Substrate(self.plan, self.chance, self.troubles)
        punctual = not {"clock", "decided"} & self.troubles.kinds
        self.watch = Watch(self.engine, self.substrate, punctual)

    def run(self) -> Course:
        self._tell(f"plan {self.plan.seed}, troubles {sorted(self.troubles.kinds)}")
        self.feed(go.Begin())
        steps, crashed = self.go_to_the_end()
        return Course(steps, len(self.journal), self.troubles, crashed)

    def go_to_the_end(self) -> tuple[int, bool]:
        """After how many steps that was, and whether it was a crash."""
        for step in range(STEPS_AT_MOST):
            if step == self.troubles.crash_at:
                self.crash()
                return step, True
            if self.engine.finished:
                self.end()
                return step, False
            self._step(step)
        lives = self.engine.lives.values()
        hold(False, "every run ends", ", ".join(f"{e.plan.id} {e.state.value}" for e in lives))
        raise AssertionError

    def _step(self, step: int) -> None:
        if step == self.troubles.abort_at:
            self.feed(go.Abort("stop", "person"))
        elif step == self.troubles.lease_at:
            self.lose_lease()
        elif self.cancelled:
            self.feed(self.cancelled.pop(0))
        elif self.sent and self.chance.random() < 0.7:
            self.go_on(self.chance.randrange(len(self.sent)))
        elif self.engine.load == "running":
            self.tick()

    def go_on(self, index: int) -> None:
        """Carry a command out, and answer it, at once or later."""
        under_way = self.sent[index]
        if under_way.wait:
            under_way.wait -= 1
            return
        if under_way.answer is None:
            self.watch.carried_out(under_way.command)
            under_way.answer = self.substrate.carry_out(under_way.command)
            under_way.wait = self._wait(under_way.command)
            if under_way.wait:
                return
        del self.sent[index]
        self.feed(under_way.answer)

    def lose_lease(self) -> None:
        self._tell("the lease is lost")
        self.substrate.lose_lease()
        self.feed(go.Abort("lease lost", "lease"))

    def tick(self) -> None:
        if "decided" in self.troubles and self.chance.random() < 0.2:
            self._decide()
        if "replaced" in self.troubles and self.chance.random() < 0.2:
            self._move()
        if self.substrate.late and self.chance.random() < 0.3:
            self.substrate.arrive_late()
        now = self.clock.tick(self.chance, steps="clock" in self.troubles)
        self.feed(go.Tick(now))
        self.watch.ticked(self.clock.now, self.clock.slack_s)

    def _move(self) -> None:
        """A target that has a fault is replaced, or what filters mean is elsewhere."""
        held = [e.plan.resource for e in self.engine.lives.values() if e.state is State.HELD]
        links = [resource for resource in held if isinstance(resource, Link)]
        if not links or self.chance.random() < 0.4:
            self.addresses.reverse()
            self.feed(Readdressed(*self.addresses[::-1]))
            return
        old = self.chance.choice(links)
        self.moved += 1
        new = replace(old, target=f"{old.target}.{self.moved}")
        if self.chance.random() < 0.5:
            self.substrate.end(old)
        self.feed(Replaced(old, new))

    def _decide(self) -> None:
        lives = self.engine.lives.values()
        unseen = [e.plan.id for e in lives if e.state is State.HELD and not e.plan.prepare
                  and not e.witnessed]  # fmt: skip
        ahead = self.engine.ahead
        self.feed(go.Decided("any", ("all",)))
        hold(not unseen or self.engine.ahead == ahead, "no fault is cut short that nobody saw",
             f"{unseen}")  # fmt: skip

    def _wait(self, command: go.Command) -> int:
        if "slow" not in self.troubles:
            return 0
        return self.chance.choice((2, 12, 40) if isinstance(command, self.slow) else (0, 0, 3))

    # ------------------------------------------------------------ the engine's loop

    def feed(self, event: go.Event) -> None:
        self._tell(f"{self.clock.now:6.2f} ▶ {event}" if self.say else "")
        self.watch.answered(event, self.clock.now)
        commands = self.engine.feed(event)
        self.substrate.resources = {e.id: e.resource for e in self.engine.effects}
        unwritten, cancelled = dispatch(commands, self._write, self._send)
        self.cancelled += cancelled
        for failure in unwritten:
            self.feed(failure)

    def _send(self, command: go.Command) -> None:
        self._tell(f"         {command}" if self.say else "")
        self.watch.sent(command, self.clock.now)
        self.sent.append(_Sent(command, wait=self._wait(command)))

    def _write(self, command: go.Write) -> str:
        self.watch.said(command.step, command.effect)
        number, self.lines = self.lines, self.lines + 1
        if number == self.troubles.disk_at or (self.troubles.disk_full and self.unwritten):
            self._tell(f"         NOT written: {command.step} {command.effect}")
            self.unwritten = True
            return "no space left on device"
        step = Step(len(self.journal), number, command.step, command.effect, command.data)
        self.journal.append(step)
        self._tell(f"         written: {command.step} {command.effect}")
        self.watch.written(step)
        return ""

    # ------------------------------------------------------------ how it ends

    def crash(self) -> None:
        """Everything dies, now: does recover take everything back?"""
        self._tell("everything dies")
        under_way = [sent.command for sent in self.sent if sent.answer is None]
        crash(self.plan, tuple(self.journal), self.substrate, under_way)

    def end(self) -> None:
        """The run is over: is everything as it was?"""
        open_ = () if self.unwritten else open_in(tuple(self.journal), self.plan)
        self.watch.over(tuple(found.effect for found in open_))

    def _tell(self, what: str) -> None:
        if self.say:
            self.say(what)
