"""What must hold at every step of every schedule, seen from outside of the engine.

`Watch` sees each step that reaches the disk, each command that is sent and each one that is carried
out, and raises `Violation`. The engine has assertions of its own; these do not trust them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.agent.effects import Resource
from harness.record.journal import Step
from harness.run import lifecycle as go
from harness.run.engine import Engine
from harness.run.lifecycle import ENDED, State
from harness.run.lives import CHECK_TRIES, REVERT_TRIES
from harness.simulation.substrate import PRISTINE, Substrate


class Violation(AssertionError):
    """An invariant, by name, and what was seen."""


def hold(true: object, invariant: str, seen: str = "") -> None:
    if not true:
        raise Violation(f"{invariant}: {seen}" if seen else invariant)


@dataclass
class Watch:
    engine: Engine
    substrate: Substrate
    punctual: bool  #: the clock is right, and no phase ends early
    aborted: bool = False
    gates: set[str] = field(default_factory=set)
    #: By effect: when it was seen injected (true seconds), and the order of its inject.
    injected: dict[str, float] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    #: Whose target was replaced, and whose filter is to be changed by the next `Make`.
    replaced: set[str] = field(default_factory=set)
    moving: set[str] = field(default_factory=set)
    #: Whose target went, or whose filter could not be changed: taken back early.
    lost: set[str] = field(default_factory=set)
    receipts: dict[Resource, str] = field(default_factory=dict)
    busy: dict[Resource, str] = field(default_factory=dict)
    generations: dict[Resource, int] = field(default_factory=dict)
    tries: dict[tuple[str, str], int] = field(default_factory=dict)
    fine: set[tuple[str, str]] = field(default_factory=set)

    # ------------------------------------------------------------ what reached the disk

    def said(self, step: str, effect: str) -> None:
        """A step that is to be written, whether the disk takes it or not."""
        self.aborted = self.aborted or step == "abort"
        if step == "replaced":
            self.lost.add(effect)

    def written(self, step: Step) -> None:
        effect = step.effect
        if step.step == "receipt":
            resource = self.substrate.resources[effect]
            hold(step.data["snapshot"] == PRISTINE, "a receipt holds what was before any fault",
                 f"{effect}: {step.data['snapshot']}")  # fmt: skip
            self.receipts[resource] = step.data["receipt"]
        elif step.step in ("injecting", "acting"):
            self.begun.add(effect)
        elif step.step == "redirecting":
            self.moving.add(effect)
        elif step.step == "replaced":
            self.replaced.add(effect)
        elif step.step == "witnessed":
            hold(("Look", effect) in self.fine, "witnessed is what a witness saw", effect)
        elif step.step == "gone" and not self.engine.lives[effect].plan.event:
            hold(("CheckGone", effect) in self.fine, "gone is what a witness saw", effect)

    # ------------------------------------------------------------ what was sent

    def sent(self, command: go.Command, now: float) -> None:
        match command:
            case go.Make():
                self._make_sent(command, now)
            case go.Perform(id):
                self._injects(id)

    def _injects(self, id: str) -> None:
        hold(not self.aborted, "nothing is injected after an abort", id)
        planned = self.engine.lives[id].plan
        hold(planned.prepare or planned.intervention in self.gates,
             "nothing is injected before its gate opened", id)  # fmt: skip
        hold(not planned.instead_of or planned.instead_of in self.replaced,
             "a fault follows only what was replaced", id)  # fmt: skip
        hold(id not in self.orders, "an effect is injected once", id)
        self.orders[id] = len(self.orders)

    def _make_sent(self, command: go.Make, now: float) -> None:
        id, resource = command.effect, self.substrate.resources[command.effect]
        hold(resource not in self.busy, "one change at a time on a resource", id)
        self.busy[resource] = id
        hold(command.generation > self.generations.get(resource, 0), "generations go up", id)
        self.generations[resource] = command.generation
        wanted = [effect.id for effect in command.in_force]
        if id in self.moving:
            self.moving.discard(id)
            hold(id in wanted and not self.aborted, "what moves is on, and stays on", id)
        elif id in wanted:
            self._injects(id)
        else:
            new = [e for e in wanted if e not in self.orders]
            hold(not new, "a revert injects nothing", id)
            self._reverts(id, wanted, now)
        kept = [
            life.plan.id for life in self.engine.lives.values()
            if life.state is State.HELD and life.plan.resource == resource and not life.plan.event
        ]  # fmt: skip
        hold(set(kept) <= set(wanted), "effects that overlap end independently", id)

    def _reverts(self, id: str, wanted: list[str], now: float) -> None:
        order = self.orders.get(id, len(self.orders))  # none: its inject was cancelled
        later = [e for e in wanted if self.orders.get(e, -1) > order]
        hold(not (self.aborted and later), "after an abort the latest goes first", f"{id}, {later}")
        life = self.engine.lives[id].plan
        early = self.aborted or life.prepare or life.instead_of or id in self.lost
        if self.punctual and not early and id in self.injected:
            held = now - self.injected[id]
            hold(held >= life.lasts - 1e-9, "no effect ends before its time", f"{id}, {held:.2f} s")

    # ------------------------------------------------------------ what was carried out, answered

    def carried_out(self, command: go.Command) -> None:
        """Before it is: was all on disk that takes it back?"""
        if isinstance(command, go.Perform) or (
            isinstance(command, go.Make) and any(e.id == command.effect for e in command.in_force)
        ):
            resource = self.substrate.resources[command.effect]
            hold(self.receipts.get(resource) == command.receipt,
                 "an effect has its receipt on disk", command.effect)  # fmt: skip
            hold(command.effect in self.begun, "an effect is on disk before it is made",
                 command.effect)  # fmt: skip

    def answered(self, event: go.Event, now: float) -> None:
        match event:
            case go.Done(go.AskGate(intervention), reason) if not reason:
                self.gates.add(intervention)
            case go.Done(command, result):
                self._done(command, result, now)
            case go.Failed(command):
                self._failed(command)

    def _done(self, command: go.Command, result: object, now: float) -> None:
        id = getattr(command, "effect", "")
        if isinstance(command, go.Make):
            self.busy.pop(self.substrate.resources[id], None)
            if any(effect.id == id for effect in command.in_force):
                self.injected.setdefault(id, now)
        elif isinstance(result, go.Finding):
            if result.fine:
                self.fine.add((type(command).__name__, id))
                self.fine.add(("Look", id)) if isinstance(command, go.Perform) else None
            else:
                self._tried("check", id)

    def _failed(self, command: go.Command) -> None:
        id = getattr(command, "effect", "")
        if isinstance(command, go.Make):
            self.busy.pop(self.substrate.resources[id], None)
            if all(effect.id != id for effect in command.in_force):
                self._tried("revert", id)
            elif id in self.injected:
                self.lost.add(id)
        elif isinstance(command, go.CheckGone):
            self._tried("check", id)

    def _tried(self, what: str, id: str) -> None:
        self.tries[what, id] = self.tries.get((what, id), 0) + 1

    # ------------------------------------------------------------ time, and the end

    def ticked(self, now: float, slack_s: float) -> None:
        """After a tick nothing is held that is over: whatever the clock did, time has passed."""
        for life in self.engine.lives.values():
            if life.state is State.HELD and not life.plan.event and not life.plan.prepare:
                held = now - self.injected[life.plan.id]
                hold(held <= life.plan.lasts + slack_s, "no effect is held beyond its time",
                     f"{life.plan.id} for {held:.2f} s")  # fmt: skip
                hold(not self.aborted, "nothing is held after an abort", life.plan.id)

    def over(self, open_receipts: tuple[str, ...]) -> None:
        """At the end, with everything that was late arrived. `open_receipts`: whose are open."""
        self.substrate.arrive_late()
        hold(self.engine.load in ("none", "ended"), "the load was ended")
        hold(not self.busy, "every change was answered")
        for life in self.engine.lives.values():
            self._ended(life.plan.id, life.state)
        left = {e.plan.resource for e in self.engine.lives.values()
                if e.state is State.LEFT_BEHIND}  # fmt: skip
        for resource, ids in self.substrate.in_force.items():
            hold(not ids or resource in left, "nothing is left behind unnoticed", f"{ids}")
        for id in open_receipts:
            hold(self.engine.lives[id].state is State.LEFT_BEHIND,
                 "a receipt ends reverted or dirty", id)  # fmt: skip

    def _ended(self, id: str, state: State) -> None:
        hold(state in ENDED, "every effect ends", f"{id} is {state.value}")
        if state is State.LEFT_BEHIND:
            tried = (self.tries.get(("revert", id), 0) >= REVERT_TRIES
                     or self.tries.get(("check", id), 0) >= CHECK_TRIES)  # fmt: skip
            hold(tried, "nothing is given up before it was tried again", id)
            hold(self.aborted, "who cannot take back ends the run", id)
        if state is State.SKIPPED:
            hold(id not in self.orders, "what was injected is taken back", id)
