"""What is on each resource: its receipt, the effects in force, and one change at a time.

Each `Make` asks for the whole desired state of its resource, so overlapping effects come and go
independently. A change that was asked for counts as in force until it was answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from harness.agent.effects import InForce, Resource, Snapshot
from harness.run.lifecycle import ON, Make, State, Write
from harness.run.timeline import Life, Timeline

_UNDER_RECEIPT = (*ON, State.LEFT_BEHIND)


Way = Literal["injecting", "redirecting", "reverting"]


class Change(NamedTuple):
    """An effect that comes, changes or goes, in the words of the journal."""

    way: Way
    effect: str

    @property
    def comes(self) -> bool:
        return self.way != "reverting"


@dataclass
class Holding:
    """One resource. It has a receipt while any effect is on it."""

    resource: Resource
    receipt: str = ""
    snapshot: Snapshot | None = None
    generation: int = 0
    in_force: tuple[InForce, ...] = ()
    under_way: Change | None = None
    waiting: list[Change] = field(default_factory=list)

    def without(self, effect: str) -> tuple[InForce, ...]:
        return tuple(e for e in self.in_force if e.id != effect)


class Holdings:
    """`say` takes commands."""

    def __init__(self, timeline: Timeline, say: Callable[..., None]) -> None:
        self._timeline = timeline
        self._say = say
        self._all: dict[Resource, Holding] = {}

    def of(self, life: Life) -> Holding:
        resource = life.plan.resource
        return self._all.setdefault(resource, Holding(resource))

    def __iter__(self) -> Iterator[Holding]:
        return iter(self._all.values())

    def change(self, life: Life, way: Way) -> None:
        holding = self.of(life)
        holding.waiting.append(Change(way, life.plan.id))
        if self._timeline.aborted:
            self._latest_first(holding)
        self.next_change(holding)

    def next_change(self, holding: Holding) -> None:
        if holding.under_way or not holding.waiting:
            return
        holding.under_way = change = holding.waiting.pop(0)
        effect, comes = change.effect, change.comes
        kept = holding.without(effect)
        does: Any = self._timeline.lives[effect].plan.does
        new = InForce(effect, does, self._timeline.passed)
        wanted = _put(holding.in_force, new) if comes else kept
        assert holding.receipt, "a receipt comes first"
        assert holding.snapshot is not None, "and holds the snapshot"
        assert not (comes and self._timeline.aborted), "nothing is injected after an abort"
        assert comes or self._is_its_turn(effect, kept), "the latest goes first"
        holding.generation += 1
        # What was asked for counts as in force from here: an unanswered make counts as made.
        holding.in_force = wanted if comes else holding.in_force
        self._say(
            Write(change.way, effect, {"generation": holding.generation}),
            Make(effect, holding.receipt, holding.generation, holding.snapshot, wanted),
        )

    def answered(self, holding: Holding, in_force: tuple[InForce, ...]) -> bool:
        """The change under way is over, and this is in force. Did its effect come?"""
        assert holding.under_way, "an answer to a question"
        came = holding.under_way.comes
        holding.under_way, holding.in_force = None, in_force
        return came

    def forget(self, life: Life) -> None:
        """No change of it waits any more."""
        holding = self.of(life)
        holding.waiting = [change for change in holding.waiting if change.effect != life.plan.id]

    def release(self, life: Life) -> None:
        """A receipt ends with the last effect on its resource."""
        holding = self.of(life)
        on = (e for e in self._timeline.lives.values() if e.state in _UNDER_RECEIPT)
        if not any(e.plan.resource == holding.resource for e in on):
            holding.receipt = ""

    # ------------------------------------------------------------ abort, and the end

    def drop_waiting(self) -> None:
        """Injects that still wait behind another change never began."""
        for holding in self:
            for change in holding.waiting:
                if change.way == "injecting":
                    life = self._timeline.lives[change.effect]
                    life.state = State.SKIPPED
                    self.release(life)
            holding.waiting = [change for change in holding.waiting if not change.comes]
            self._latest_first(holding)

    def _latest_first(self, holding: Holding) -> None:
        """An inject that was under way at the abort joins those that wait to be taken back."""
        holding.waiting.sort(key=lambda change: -self._timeline.lives[change.effect].order)

    def _is_its_turn(self, effect: str, kept: tuple[InForce, ...]) -> bool:
        """After an abort, what was injected last on a resource is taken back first."""
        lives = self._timeline.lives
        order = lives[effect].order
        return not self._timeline.aborted or all(lives[e.id].order < order for e in kept)

    def assert_over(self) -> None:
        """Every receipt ended: reverted, or as left behind."""
        lives = self._timeline.lives.values()
        left = {e.plan.resource for e in lives if e.state is State.LEFT_BEHIND}
        for holding in self:
            assert not holding.under_way, "no change is under way"
            assert not holding.in_force, "nothing is in force"
            assert not holding.receipt or holding.resource in left, "no receipt is open"


def _put(in_force: tuple[InForce, ...], new: InForce) -> tuple[InForce, ...]:
    """At the end; or in the place of its own, which goes on as of its inject."""
    if not any(e.id == new.id for e in in_force):
        return (*in_force, new)
    return tuple(replace(e, effect=new.effect) if e.id == new.id else e for e in in_force)
