"""Every effect of a run on its way through its states: the larger half of the engine, as pure.

One change at a time on a resource: each `Make` asks for the whole desired state of its resource, so
overlapping effects come and go independently. A change that was asked for counts as in force until
it was answered; one that failed is taken back, since nobody knows whether it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.agent.effects import InForce, Resource
from harness.record.plan import Plan, PlannedEffect
from harness.run.lifecycle import (
    ENDED,
    CheckGone,
    Failed,
    Finding,
    Holding,
    Look,
    LookBefore,
    Make,
    Perform,
    State,
    TakeSnapshot,
    Write,
)

LEAD_S = 2.0  #: how long before an inject its `before` look begins
LOOK_S = 1.0  #: how long one look takes
SHORTEST_LOOK_S = 0.3
LOOK_MARGIN_S = 0.1  #: a look ends so long before the revert is due
EVENT_LOOK_S = 0.2
EVENT_LOOKS = 10  #: how often an event's outcome is looked at before it counts as not seen
REVERT_TRIES = 3
CHECK_TRIES = 4
_UNDER_RECEIPT = frozenset({
    State.INJECTING, State.HELD, State.REVERTING, State.CHECKING, State.LEFT_BEHIND,
})  # fmt: skip


@dataclass
class Life:
    """One effect on its way through the states."""

    plan: PlannedEffect
    state: State = State.PLANNED
    injected: float = 0.0
    order: int = 0
    looks: int = 0
    looking: bool = False
    seen_generation: int = 0  #: of its resource, when the snapshot was asked for
    next_look: float = 0.0
    witnessed: bool = False
    reverts: int = 0
    checks: int = 0


class Lives:
    """`say` takes commands, `give_up` is told why the run cannot go on."""

    def __init__(
        self, plan: Plan, say: Callable[..., None], give_up: Callable[[str], None]
    ) -> None:
        self.all = {effect.id: Life(effect) for effect in plan.effects}
        self.holdings: dict[Resource, Holding] = {}
        self.now = -plan.warmup
        self.ahead = 0.0
        self.aborted = False
        self._orders = 0
        self._say = say
        self._give_up = give_up

    @property
    def timeline_now(self) -> float:
        """Where on the plan's timeline we are: ahead of the clock by phases that ended early."""
        return self.now + self.ahead

    def next_at(self) -> float | None:
        """When the next effect begins or ends; infinity when there is none, None where that may
        not be hurried: a fault counts only once it was seen.
        """
        lives = [life for life in self.all.values() if not life.plan.prepare]
        if any(life.state not in (State.PLANNED, State.HELD, *ENDED) for life in lives):
            return None
        if any(life.state is State.HELD and not life.witnessed for life in lives):
            return None
        begins = [e.plan.at - LEAD_S for e in lives if e.state is State.PLANNED]
        ends = [e.injected + e.plan.lasts for e in lives if e.state is State.HELD]
        return min([*begins, *ends], default=float("inf"))

    def prepares(self) -> list[Life]:
        """Those that are made before the baseline."""
        return [life for life in self.all.values() if life.plan.prepare]

    def timeline(self, *states: State) -> list[Life]:
        """The others, in one of these states."""
        return [e for e in self.all.values() if e.state in states and not e.plan.prepare]

    # ------------------------------------------------------------ the way in

    def look_before_due(self) -> None:
        for life in self.timeline(State.PLANNED):
            if self.timeline_now >= life.plan.at - LEAD_S:
                life.state = State.BEFORE
                self._say(LookBefore(life.plan.id))

    def looked_before(self, life: Life, finding: Finding) -> None:
        if life.state is State.BEFORE:
            life.state = State.READY
            self._say(Write("before", life.plan.id, finding.data))

    def start(self, life: Life) -> None:
        """From here on the effect will be made, unless an abort comes first."""
        holding = self._holding(life)
        if holding.receipt:
            return self._inject(life, holding)
        self._take_snapshot(life, holding)
        return None

    def _take_snapshot(self, life: Life, holding: Holding) -> None:
        life.state, life.seen_generation = State.SNAPSHOT, holding.generation
        self._say(TakeSnapshot(life.plan.id))

    def snapshot_taken(self, life: Life, snapshot: Any) -> None:
        if self.aborted:
            life.state = State.SKIPPED
            return
        holding = self._holding(life)
        if not holding.receipt and holding.generation != life.seen_generation:
            # Another effect came and went meanwhile, and this may be a picture of it.
            self._take_snapshot(life, holding)
            return
        if not holding.receipt:
            self._write_receipt(life, holding, snapshot)
        self._inject(life, holding)

    def _write_receipt(self, life: Life, holding: Holding, snapshot: Any) -> None:
        holding.receipt, holding.snapshot = f"{life.plan.id}#{self._orders + 1}", snapshot
        self._say(Write("receipt", life.plan.id, {
            "receipt": holding.receipt, "resource": holding.resource, "snapshot": snapshot,
            "does": life.plan.does,
        }))  # fmt: skip

    def _inject(self, life: Life, holding: Holding) -> None:
        assert holding.receipt, "a receipt comes first"
        assert not self.aborted, "nothing is injected after an abort"
        self._orders += 1
        life.state, life.order = State.INJECTING, self._orders
        if life.plan.event:
            self._say(Write("acting", life.plan.id), Perform(life.plan.id, holding.receipt))
        else:
            self._change(holding, life.plan.id, comes=True)

    # ------------------------------------------------------------ one change at a time

    def _holding(self, life: Life) -> Holding:
        resource = life.plan.resource
        return self.holdings.setdefault(resource, Holding(resource))

    def _change(self, holding: Holding, effect: str, *, comes: bool) -> None:
        holding.waiting.append((effect, comes))
        if self.aborted:
            self._latest_first(holding)
        self._next_change(holding)

    def _latest_first(self, holding: Holding) -> None:
        """An inject that was under way at the abort joins those that wait to be taken back."""
        holding.waiting.sort(key=lambda change: -self.all[change[0]].order)

    def _next_change(self, holding: Holding) -> None:
        if holding.busy or not holding.waiting:
            return
        effect, comes = holding.waiting.pop(0)
        kept = tuple(e for e in holding.in_force if e.id != effect)
        does: Any = self.all[effect].plan.does
        wanted = (*kept, InForce(effect, does, self.now)) if comes else kept
        assert holding.receipt, "a receipt comes first"
        assert holding.snapshot is not None, "and holds the snapshot"
        assert not (comes and self.aborted), "nothing is injected after an abort"
        assert comes or self._is_its_turn(effect, kept), "the latest goes first"
        holding.busy, holding.change = True, (effect, comes)
        holding.generation += 1
        # What was asked for counts as in force from here: an unanswered make counts as made.
        holding.in_force = wanted if comes else holding.in_force
        self._say(
            Write(
                "injecting" if comes else "reverting", effect, {"generation": holding.generation}
            ),
            Make(effect, holding.receipt, holding.generation, holding.snapshot, wanted),
        )

    def _is_its_turn(self, effect: str, kept: tuple[InForce, ...]) -> bool:
        """After an abort, what was injected last on a resource is taken back first."""
        order = self.all[effect].order
        return not self.aborted or all(self.all[e.id].order < order for e in kept)

    def made(self, life: Life, command: Make) -> None:
        holding = self._holding(life)
        assert holding.change is not None, "an answer to a question"
        _, came = holding.change
        holding.busy, holding.change, holding.in_force = False, None, command.in_force
        if came:
            self._injected(life)
        else:
            life.state = State.CHECKING
            self._say(Write("reverted", life.plan.id), self._check(life, holding))
        self._next_change(holding)

    def _injected(self, life: Life) -> None:
        life.state, life.injected = State.HELD, self.timeline_now
        self._say(Write("injected", life.plan.id))
        if self.aborted:
            self.revert(life)

    # ------------------------------------------------------------ held

    def look_again(self) -> None:
        """With the tick, never from an answer: a witness that fails at once must not spin."""
        for life in self.timeline(State.HELD):
            if not life.looking and self.now >= life.next_look:
                self._look(life)

    def _look(self, life: Life) -> None:
        ends = life.injected + life.plan.lasts - LOOK_MARGIN_S
        left = LOOK_S if life.plan.event else ends - self.timeline_now
        if left >= SHORTEST_LOOK_S:
            life.looking = True
            life.next_look = self.now + (EVENT_LOOK_S if life.plan.event else LOOK_S)
            self._say(Look(life.plan.id, min(LOOK_S, left)))

    def looked(self, life: Life, finding: Finding) -> None:
        if life.state is not State.HELD:
            return  # it was being taken back meanwhile: this look saw a bit of both
        life.looks += 1
        life.looking = False
        self._say(Write("look", life.plan.id, finding.data))
        if finding.fine and not life.witnessed:
            life.witnessed = True
            self._say(Write("witnessed", life.plan.id))
        if life.plan.event and (life.witnessed or self.aborted or life.looks >= EVENT_LOOKS):
            self._gone(life, {})

    def acted(self, life: Life, finding: Finding) -> None:
        life.state, life.injected = State.HELD, self.timeline_now
        self._say(Write("acted", life.plan.id))
        self.looked(life, finding)

    # ------------------------------------------------------------ the way out

    def revert_due(self) -> None:
        for life in self.timeline(State.HELD):
            over = self.timeline_now >= life.injected + life.plan.lasts
            if not life.plan.event and (over or self.aborted):
                self.revert(life)

    def revert(self, life: Life) -> None:
        if life.plan.event:
            return self._gone(life, {})
        life.state = State.REVERTING
        life.reverts += 1
        self._change(self._holding(life), life.plan.id, comes=False)
        return None

    def _check(self, life: Life, holding: Holding) -> CheckGone:
        last = not holding.in_force and not holding.waiting
        return CheckGone(life.plan.id, holding.snapshot if last else None)

    def checked(self, life: Life, finding: Finding) -> None:
        life.checks += 1
        if finding.fine:
            return self._gone(life, finding.data)
        if life.checks < CHECK_TRIES:
            return self._say(self._check(life, self._holding(life)))
        return self._left(life, finding.reason)

    def _gone(self, life: Life, data: dict[str, Any]) -> None:
        life.state = State.GONE
        self._release(life)
        self._say(Write("gone", life.plan.id, data))

    def _release(self, life: Life) -> None:
        """A receipt ends with the last effect on its resource."""
        resource = life.plan.resource
        on = (e for e in self.all.values() if e.state in _UNDER_RECEIPT)
        if not any(e.plan.resource == resource for e in on):
            self._holding(life).receipt = ""

    def _left(self, life: Life, reason: str) -> None:
        """Dirty, and the end of the run: who cannot take back must not go on injecting."""
        life.state = State.LEFT_BEHIND
        self._say(Write("left_behind", life.plan.id, {"what": [reason]}))
        self._give_up(f"{life.plan.id} could not be taken back: {reason}")

    def drop_waiting(self) -> None:
        """Injects that still wait behind another change never began."""
        for holding in self.holdings.values():
            for effect, comes in holding.waiting:
                if comes:
                    self.all[effect].state = State.SKIPPED
                    self._release(self.all[effect])
            holding.waiting = [change for change in holding.waiting if not change[1]]
            self._latest_first(holding)

    def assert_over(self) -> None:
        """Every receipt ended: reverted, or as left behind."""
        left = {e.plan.resource for e in self.all.values() if e.state is State.LEFT_BEHIND}
        for holding in self.holdings.values():
            assert not holding.busy, "no change is under way"
            assert not holding.in_force, "nothing is in force"
            assert not holding.receipt or holding.resource in left, "no receipt is open"

    # ------------------------------------------------------------ what failed

    def failed(self, life: Life, event: Failed) -> None:
        doing = type(event.command).__name__
        self._say(Write("failed", life.plan.id, {"doing": doing, "reason": event.reason}))
        match event.command:
            case Look():
                self.looked(
                    life, Finding(fine=False, reason=event.reason, data={"error": event.reason})
                )
            case CheckGone():
                self._check_failed(life, event)
            case Make():
                self._make_failed(life, event)
            case _:
                self._never_made(life, event)

    def _never_made(self, life: Life, event: Failed) -> None:
        """A before-look, a snapshot or an act that failed: nothing is held."""
        if not isinstance(event.command, Perform):
            life.state = State.TARGET_GONE if event.target_gone else State.SKIPPED
        elif event.target_gone:
            self._target_gone(life, self._holding(life))
        else:
            self._gone(life, {})  # it may have been carried out: its receipt ends here
        self._give_up(f"{life.plan.id}: {event.reason}")

    def _make_failed(self, life: Life, event: Failed) -> None:
        holding = self._holding(life)
        came = holding.change is not None and holding.change[1]
        holding.busy, holding.change = False, None
        # Whether it was made or not, no later change of the resource may ask for it again.
        holding.in_force = _without(holding.in_force, life)
        if event.target_gone:
            self._target_gone(life, holding)
        elif came or life.reverts < REVERT_TRIES:
            self.revert(life)  # nobody knows whether it was made: take it back
        else:
            self._left(life, event.reason)
        if came:
            self._give_up(f"{life.plan.id} could not be injected: {event.reason}")
        self._next_change(holding)

    def _target_gone(self, life: Life, holding: Holding) -> None:
        life.state = State.TARGET_GONE
        holding.in_force = _without(holding.in_force, life)
        self._release(life)
        self._say(Write("target_gone", life.plan.id))

    def _check_failed(self, life: Life, event: Failed) -> None:
        if event.target_gone:
            self._target_gone(life, self._holding(life))
        else:
            self.checked(life, Finding(fine=False, reason=event.reason))


def _without(in_force: tuple[InForce, ...], life: Life) -> tuple[InForce, ...]:
    return tuple(effect for effect in in_force if effect.id != life.plan.id)
