"""The run as a pure state machine: `feed(event)` answers with commands. No clock, no I/O.

It never names a fault. What it holds to, at every step:
- an effect is made only behind a receipt that was written before;
- after an abort nothing is injected any more;
- everything injected is reverted and then looked for, after an abort in reverse order on each
  resource; every receipt ends reverted, or as left behind;
- one change at a time on a resource; overlapping effects come and go independently.
Each is an assertion here or in one of its parts, and `harness.simulation` tries to break each.

The phases of a run stand here, the lives of its effects in `lives`, what is on each resource in
`holdings`, and what time it is in `timeline`.
"""

from __future__ import annotations

from typing import Any

from harness.agent.effects import InForce, Resource
from harness.record.moves import Readdressed, Replaced
from harness.record.plan import Plan, PlannedEffect
from harness.run.lifecycle import (
    ENDED,
    ON,
    Abort,
    AskGate,
    Begin,
    CheckGone,
    Command,
    Decided,
    Done,
    Event,
    Failed,
    Finish,
    Look,
    LookBefore,
    Make,
    Perform,
    StartLoad,
    State,
    StopLoad,
    TakeSnapshot,
    Tick,
    Write,
)
from harness.run.lives import Lives
from harness.run.newcomers import Newcomers
from harness.run.timeline import Life, Timeline

WORTH_S = 0.5  #: less time than this is not worth skipping


class Engine:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.load = "none"
        self.finished = False
        self._begun = False
        self._told: float | None = None
        self._gates: set[str] = set()
        self._out: list[Command] = []
        self._timeline = Timeline(plan)
        self._lives = Lives(self._timeline, self._say, self._give_up)
        self._newcomers = Newcomers(self._timeline, self._lives, self._say)

    @property
    def aborted(self) -> Abort | None:
        return self._timeline.aborted

    @property
    def ahead(self) -> float:
        """How far the timeline is ahead of the clock, in seconds: phases that ended early."""
        return self._timeline.ahead

    @property
    def lives(self) -> dict[str, Life]:
        return self._timeline.lives

    def feed(self, event: Event) -> list[Command]:
        """Take in what happened; answer with what is to be done, in order."""
        match event:
            case Begin():
                self._begin()
            case Tick(now):
                self._tick(now)
            case Done(command, result):
                self._done(command, result)
            case Failed():
                self._failed(event)
            case Abort():
                self._abort(event)
            case Decided():
                self._skip(event)
            case Replaced(gone, by):
                self._newcomers.replaced(gone, by)
            case Readdressed(before, now):
                self._newcomers.readdressed(before, now)
        self._start_load_when_prepared()
        self._close_when_over()
        out, self._out = self._out, []
        return out

    @property
    def effects(self) -> tuple[PlannedEffect, ...]:
        """Those of the plan, as they are now, and newcomers."""
        return tuple(life.plan for life in list(self.lives.values()))

    @property
    def in_force(self) -> tuple[tuple[Resource, InForce], ...]:
        """Every effect in force now, with its resource."""
        held = self._lives.holdings
        return tuple((holding.resource, effect) for holding in held for effect in holding.in_force)

    @property
    def active(self) -> tuple[str, ...]:
        """The interventions that are on now."""
        on = self._timeline.those(*ON)
        return tuple(dict.fromkeys(life.plan.intervention for life in on))

    def _skip(self, event: Decided) -> None:
        """Go to what the timeline has next. While anything is under way, nothing is skipped."""
        next_at = self._timeline.next_at()
        if self.load != "running" or self.aborted or next_at is None:
            return
        saved = min(next_at, self.plan.duration) - self._timeline.now
        if saved >= WORTH_S:
            self._timeline.ahead += saved
            told = {"phase": event.phase, "what": event.what, "saved_s": round(saved, 3)}
            self._say(Write("decided", "", told))

    # ------------------------------------------------------------ phases

    def _begin(self) -> None:
        self._begun = True
        for life in self._timeline.prepares():
            self._lives.start(life)

    def _start_load_when_prepared(self) -> None:
        if not self._begun or self.load != "none" or self.aborted:
            return
        if all(life.state is State.HELD for life in self._timeline.prepares()):
            self.load = "starting"
            self._say(Write("prepared"), StartLoad())

    def _tick(self, now: float) -> None:
        """Time is what passed between ticks: a clock that is set back ends nothing later.

        Where second 0 lies is known once the load runs: the first tick from then on says it.
        """
        if self._told is None:
            self._timeline.passed = now
        else:
            self._timeline.passed += max(0.0, now - self._told)
        self._told = None if self.load in ("none", "starting") else now
        self._due()

    def _due(self) -> None:
        if self.load == "running" and not self.aborted:
            self._lives.look_before_due()
            for intervention in self.plan.interventions:
                self._ask_gate(intervention)
            self._lives.look_again()
            self._newcomers.start_when_ready()
        self._lives.revert_due()

    def _ask_gate(self, intervention: str) -> None:
        if intervention in self._gates:
            return
        lives = [self.lives[effect.id] for effect in self.plan.of(intervention)]
        now = self._timeline.now
        if all(life.state is State.READY and now >= life.plan.at for life in lives):
            self._gates.add(intervention)
            self._say(AskGate(intervention, alone=not self.active, beside=self.active))

    def _gate_answered(self, intervention: str, reason: str) -> None:
        if self.aborted:
            return
        self._say(Write("gate", "", {"intervention": intervention, "reason": reason}))
        if reason:
            self._abort(Abort(reason, "baseline"))
        else:
            for effect in self.plan.of(intervention):
                self._lives.start(self.lives[effect.id])

    def _give_up(self, reason: str) -> None:
        self._abort(Abort(reason, "internal"))

    def _abort(self, event: Abort) -> None:
        if self.aborted or self.finished:
            return
        self._timeline.aborted = event
        self._say(Write("abort", "", {"reason": event.reason, "by": event.by}))
        for life in self.lives.values():
            if life.state in (State.PLANNED, State.BEFORE, State.READY):
                life.state = State.SKIPPED
        self._lives.holdings.drop_waiting()
        self._revert_all(self._timeline.those(State.HELD))

    def _revert_all(self, lives: list[Life]) -> None:
        """The latest first."""
        for life in sorted(lives, key=lambda life: -life.order):
            self._lives.revert(life)

    # ------------------------------------------------------------ answers

    def _done(self, command: Command, result: Any) -> None:
        match command:
            case AskGate(intervention):
                self._gate_answered(intervention, result or "")
            case StartLoad():
                self.load = "running"
            case StopLoad():
                self.load = "ended"
            case LookBefore(effect):
                self._lives.looked_before(self.lives[effect], result)
            case TakeSnapshot(effect):
                self._lives.snapshot_taken(self.lives[effect], result)
            case Make(effect):
                self._lives.made(self.lives[effect], command)
            case Perform(effect):
                self._lives.acted(self.lives[effect], result)
            case Look(effect):
                self._lives.looked(self.lives[effect], result)
            case CheckGone(effect):
                self._lives.checked(self.lives[effect], result)

    def _failed(self, event: Failed) -> None:
        match event.command:
            case StartLoad() | AskGate():
                self.load = "ended" if self.load == "starting" else self.load
                self._abort(Abort(event.reason, "internal"))
            case StopLoad() | Finish():
                self.load = "ended"
            case Write():
                self._abort(Abort(f"the journal cannot be written: {event.reason}", "disk"))
            case command:
                self._lives.failed(self.lives[command.effect], event)

    # ------------------------------------------------------------ the end

    def _close_when_over(self) -> None:
        """Timeline over, then load, then what prepare made, then finish: each once."""
        if self.finished or not self._timeline_over():
            return
        if self.load == "running":
            self.load = "stopping"
            self._say(StopLoad())
        elif self.load in ("none", "ended"):
            self._close()

    def _timeline_over(self) -> bool:
        running = self.load == "running" and self._timeline.now >= self.plan.duration
        if not self.aborted and not running:
            return self.load == "ended"
        return all(e.state in ENDED for e in self.lives.values() if not e.plan.prepare)

    def _close(self) -> None:
        self._revert_all([e for e in self._timeline.prepares() if e.state is State.HELD])
        if all(life.state in ENDED for life in self.lives.values()):
            self._lives.holdings.assert_over()
            self.finished = True
            self._say(Finish())

    def _say(self, *commands: Command) -> None:
        self._out.extend(commands)
