"""Every effect of a run on its way through its states: the larger half of the engine, as pure.

A change that failed is taken back, since nobody knows whether it was made. A revert that fails is
tried again, then the effect counts as left behind, and the run ends by taking back the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.run.holdings import Holding, Holdings
from harness.run.lifecycle import (
    CheckGone,
    Failed,
    Finding,
    Look,
    LookBefore,
    Make,
    Perform,
    State,
    TakeSnapshot,
    Write,
)
from harness.run.timeline import Life, Timeline

LOOK_S = 1.0  #: how long one look takes
SHORTEST_LOOK_S = 0.3
LOOK_MARGIN_S = 0.1  #: a look ends so long before the revert is due
EVENT_LOOK_S = 0.2
EVENT_LOOKS = 10  #: how often an event's outcome is looked at before it counts as not seen
REVERT_TRIES = 3
CHECK_TRIES = 4


class Lives:
    """`say` takes commands, `give_up` is told why the run cannot go on."""

    def __init__(
        self, timeline: Timeline, say: Callable[..., None], give_up: Callable[[str], None]
    ) -> None:
        self.holdings = Holdings(timeline, say)
        self._timeline = timeline
        self._orders = 0
        self._say = say
        self._give_up = give_up

    # ------------------------------------------------------------ the way in

    def look_before_due(self) -> None:
        for life in self._timeline.before_due():
            life.state = State.BEFORE
            self._say(LookBefore(life.plan.id))

    def looked_before(self, life: Life, finding: Finding) -> None:
        if life.state is State.BEFORE:
            life.state = State.READY
            self._say(Write("before", life.plan.id, finding.data))

    def start(self, life: Life) -> None:
        """From here on the effect will be made, unless an abort comes first."""
        holding = self.holdings.of(life)
        if holding.receipt:
            self._inject(life, holding)
        else:
            self._take_snapshot(life, holding)

    def _take_snapshot(self, life: Life, holding: Holding) -> None:
        life.state, life.seen_generation = State.SNAPSHOT, holding.generation
        self._say(TakeSnapshot(life.plan.id))

    def snapshot_taken(self, life: Life, snapshot: Any) -> None:
        holding = self.holdings.of(life)
        if self._timeline.aborted:
            life.state = State.SKIPPED
        elif holding.receipt:
            self._inject(life, holding)
        elif holding.generation != life.seen_generation:
            # Another effect came and went meanwhile, and this may be a picture of it.
            self._take_snapshot(life, holding)
        else:
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
        assert not self._timeline.aborted, "nothing is injected after an abort"
        self._orders += 1
        life.state, life.order = State.INJECTING, self._orders
        if life.plan.event:
            self._say(Write("acting", life.plan.id), Perform(life.plan.id, holding.receipt))
        else:
            self.holdings.change(life, "injecting")

    def made(self, life: Life, command: Make) -> None:
        holding = self.holdings.of(life)
        if self.holdings.answered(holding, command.in_force):
            if life.state is State.INJECTING:  # or it was only redirected
                self._injected(life)
        else:
            life.state = State.CHECKING
            self._say(Write("reverted", life.plan.id), self._check(life, holding))
        self.holdings.next_change(holding)

    def _injected(self, life: Life) -> None:
        life.state, life.injected = State.HELD, self._timeline.now
        self._say(Write("injected", life.plan.id))
        if self._timeline.aborted:
            self.revert(life)

    def acted(self, life: Life, finding: Finding) -> None:
        life.state, life.injected = State.HELD, self._timeline.now
        self._say(Write("acted", life.plan.id))
        self.looked(life, finding)

    # ------------------------------------------------------------ held

    def look_again(self) -> None:
        """With the tick, never from an answer: a witness that fails at once must not spin."""
        for life in self._timeline.those(State.HELD):
            if not life.looking and self._timeline.passed >= life.next_look:
                self._look(life)

    def _look(self, life: Life) -> None:
        left = LOOK_S if life.plan.event else life.ends - LOOK_MARGIN_S - self._timeline.now
        if left >= SHORTEST_LOOK_S:
            life.looking = True
            life.next_look = self._timeline.passed + (EVENT_LOOK_S if life.plan.event else LOOK_S)
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
        enough = life.witnessed or self._timeline.aborted or life.looks >= EVENT_LOOKS
        if life.plan.event and enough:
            self._gone(life, {})

    # ------------------------------------------------------------ the way out

    def revert_due(self) -> None:
        for life in self._timeline.those(State.HELD):
            over = self._timeline.now >= life.ends
            if not life.plan.event and (over or self._timeline.aborted):
                self.revert(life)

    def revert(self, life: Life) -> None:
        if life.plan.event:
            self._gone(life, {})
        else:
            life.state = State.REVERTING
            life.reverts += 1
            self.holdings.change(life, "reverting")

    def _check(self, life: Life, holding: Holding) -> CheckGone:
        last = not holding.in_force and not holding.waiting
        return CheckGone(life.plan.id, holding.snapshot if last else None, life.checks)

    def checked(self, life: Life, finding: Finding) -> None:
        life.checks += 1
        if finding.fine:
            self._gone(life, finding.data)
        elif life.checks < CHECK_TRIES:
            self._say(self._check(life, self.holdings.of(life)))
        else:
            self._left(life, finding.reason)

    def _gone(self, life: Life, data: dict[str, Any]) -> None:
        life.state = State.GONE
        self.holdings.release(life)
        self._say(Write("gone", life.plan.id, data))

    def _left(self, life: Life, reason: str) -> None:
        """Dirty, and the end of the run: who cannot take back must not go on injecting."""
        life.state = State.LEFT_BEHIND
        self._say(Write("left_behind", life.plan.id, {"what": [reason]}))
        self._give_up(f"{life.plan.id} could not be taken back: {reason}")

    # ------------------------------------------------------------ what failed

    def failed(self, life: Life, event: Failed) -> None:
        doing = type(event.command).__name__
        self._say(Write("failed", life.plan.id, {"doing": doing, "reason": event.reason}))
        match event.command:
            case Look():
                self.looked(life, Finding(data={"error": event.reason}))
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
            self._target_gone(life)
        else:
            self._gone(life, {})  # it may have been carried out: its receipt ends here
        if life.plan.instead_of and event.target_gone:
            return  # it came and went: there was nothing to follow
        self._give_up(f"{life.plan.id}: {event.reason}")

    def _make_failed(self, life: Life, event: Failed) -> None:
        holding = self.holdings.of(life)
        # Whether it was made or not, no later change of the resource may ask for it again.
        came = self.holdings.answered(holding, holding.without(life.plan.id))
        new = life.state is State.INJECTING
        if event.target_gone:
            self._target_gone(life)
        elif came and life.state is State.REVERTING:
            pass  # it was only redirected, and its end waits already
        elif came or life.reverts < REVERT_TRIES:
            self.revert(life)  # nobody knows whether it was made: take it back
        else:
            self._left(life, event.reason)
        if came and (new or not event.target_gone):
            self._give_up(f"{life.plan.id} could not be injected: {event.reason}")
        self.holdings.next_change(holding)

    def _target_gone(self, life: Life) -> None:
        life.state = State.TARGET_GONE
        self.holdings.forget(life)
        self.holdings.release(life)
        self._say(Write("target_gone", life.plan.id))

    def _check_failed(self, life: Life, event: Failed) -> None:
        if event.target_gone:
            self._target_gone(life)
        else:
            self.checked(life, Finding(reason=event.reason))
