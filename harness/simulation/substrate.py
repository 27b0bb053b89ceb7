"""A substrate as a value: resources with what is in force on each, and an agent with a lease.

`carry_out` does what one command says, or fails as the schedule's troubles have it. Like the real
agent it refuses a generation that is over, and everything once its lease was lost.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from harness.agent.effects import Resource, Snapshot
from harness.record.plan import Plan
from harness.run import lifecycle as go
from harness.simulation.troubles import Troubles

PRISTINE = Snapshot("simulated", {"in force": ""})


@dataclass
class Substrate:
    plan: Plan
    chance: random.Random
    troubles: Troubles
    in_force: dict[Resource, tuple[str, ...]] = field(default_factory=dict)
    generations: dict[Resource, int] = field(default_factory=dict)
    gone: set[Resource] = field(default_factory=set)
    lost: bool = False
    #: How often each resource has yet to refuse being taken back.
    stubborn: dict[Resource, int] = field(default_factory=dict)
    #: Makes that nobody answered, and that may still arrive.
    late: list[go.Make] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resources = {effect.id: effect.resource for effect in self.plan.effects}

    def settings(self, resource: Resource) -> Snapshot:
        return Snapshot("simulated", {"in force": " ".join(self.in_force.get(resource, ()))})

    def lose_lease(self) -> None:
        """The agent takes everything back, and what was sent to it comes to nothing."""
        self.lost = True
        self.in_force.clear()
        self.late.clear()

    def end(self, resource: Resource) -> None:
        """The target is gone, and everything with it."""
        self.gone.add(resource)
        self.in_force.pop(resource, None)

    def arrive_late(self) -> None:
        for command in self.late:
            self._change(command)
        self.late.clear()

    def carry_out(self, command: go.Command) -> go.Event:
        resource = self.resources.get(getattr(command, "effect", ""))
        if resource is not None:
            if "gone" in self.troubles and self.chance.random() < 0.05:
                self.end(resource)
            if resource in self.gone:
                return go.Failed(command, "no such target", target_gone=True)
        match command:
            case go.Make():
                return self._make(command)
            case go.AskGate():
                broken = "gate" in self.troubles and self.chance.random() < 0.5
                return go.Done(command, "the baseline is broken" if broken else "")
            case go.StartLoad() | go.StopLoad():
                return self._maybe(command, None, 0.1)
        return self._maybe(command, self._answer(command))

    def take_back(self, resource: Resource, snapshot: Snapshot) -> None:
        """What recover does: make the snapshot true."""
        self.in_force[resource] = tuple(snapshot.settings["in force"].split())

    # ------------------------------------------------------------ helpers

    def _answer(self, command: go.Command) -> object:
        match command:
            case go.TakeSnapshot(id):
                return self.settings(self.resources[id])
            case go.CheckGone(id, snapshot, _):
                there = id in self.in_force.get(self.resources[id], ())
                differs = snapshot not in (None, self.settings(self.resources[id]))
                return go.Finding(not (there or differs or self._flaps()), "still there")
            case go.Look(id):
                return go.Finding(id in self.in_force.get(self.resources[id], ()))
            case go.Perform():
                return go.Finding(not self._flaps())
        return go.Finding(fine=True)

    def _flaps(self) -> bool:
        return "flaps" in self.troubles and self.chance.random() < 0.4

    def _maybe(self, command: go.Command, result: object, often: float = 1.0) -> go.Event:
        refused = "refused" in self.troubles or "unanswered" in self.troubles
        if refused and self.chance.random() < 0.2 * often:
            return go.Failed(command, "no answer")
        if isinstance(command, go.Perform) and self.lost:
            return go.Failed(command, "the lease was lost")
        return go.Done(command, result)

    def _make(self, command: go.Make) -> go.Event:
        comes = any(effect.id == command.effect for effect in command.in_force)
        if self.lost and comes:
            return go.Failed(command, "the lease was lost")
        if "refused" in self.troubles and self.chance.random() < 0.2:
            return go.Failed(command, "refused")
        if not comes and self._is_stubborn(self.resources[command.effect]):
            return go.Failed(command, "device busy")
        if "unanswered" in self.troubles and self.chance.random() < 0.25:
            return self._unanswered(command)
        self._change(command)
        return go.Done(command)

    def _unanswered(self, command: go.Make) -> go.Event:
        if self.chance.random() < 0.5:
            self._change(command)
        elif not self.lost:
            self.late.append(command)
        return go.Failed(command, "no answer in time")

    def _is_stubborn(self, resource: Resource) -> bool:
        left = self.stubborn.setdefault(resource, self.troubles.stubborn)
        self.stubborn[resource] = left - 1
        return left > 0

    def _change(self, command: go.Make) -> None:
        resource = self.resources[command.effect]
        if resource in self.gone or command.generation < self.generations.get(resource, 0):
            return
        self.generations[resource] = command.generation
        # A successor of a lost agent takes back, and never injects.
        wanted = () if self.lost else command.in_force
        self.in_force[resource] = tuple(effect.id for effect in wanted)
