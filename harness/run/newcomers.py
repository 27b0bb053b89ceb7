"""Targets that are replaced while a fault is on: it follows them, or ends, as its file says.

What comes in the place of a target gets an effect of its own, behind a receipt of its own, seen by
the witness, and ended when the first was to end; the first is taken back, and ends with its target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

from harness.agent.effects import Act, Effect, Link, LinkProfile, Resource
from harness.record.plan import PlannedEffect
from harness.run.lifecycle import State, Write
from harness.run.lives import Lives
from harness.run.timeline import Life, Timeline

#: With less time than this left nobody could see the effect on a newcomer.
WORTH_S = 3.0
LATE_S = 1.0
_TO_COME = (State.PLANNED, State.BEFORE, State.READY, State.SNAPSHOT)


class Newcomers:
    def __init__(self, timeline: Timeline, lives: Lives, say: Callable[..., None]) -> None:
        self._timeline = timeline
        self._lives = lives
        self._say = say

    def replaced(self, gone: Resource, by: Resource) -> None:
        """What prepares follows where a fault on it does."""
        if self._timeline.aborted:
            return
        held = [e for e in self._on(gone) if e.state is State.HELD and not e.plan.event]
        held.sort(key=lambda life: life.plan.prepare)
        follow = [e for e in held if not e.plan.prepare and self._why_not(e) == ""]
        for life in held:
            if life.plan.prepare:
                self._follow(life, by, bool(follow), "" if follow else "no fault follows")
            else:
                self._follow(life, by, life in follow, self._why_not(life))

    def start_when_ready(self) -> None:
        """A newcomer asks no gate: its fault began long ago."""
        for life in self._timeline.those(State.READY):
            if life.plan.instead_of and self._timeline.now > life.ends - LATE_S:
                life.state = State.SKIPPED
                self._say(Write("trouble", life.plan.id, {"what": "it came too late to be seen"}))
            elif life.plan.instead_of and self._prepared(life):
                self._lives.start(life)

    def readdressed(self, before: tuple[str, ...], now: tuple[str, ...]) -> None:
        """A filter that meant the whole of a service goes on meaning it."""
        if self._timeline.aborted or not before:
            return
        for life in self._timeline.those(State.HELD, *_TO_COME):
            does = life.plan.does
            if not isinstance(does, LinkProfile) or not set(before) <= {*does.peers}:
                continue
            others = tuple(peer for peer in does.peers if peer not in before)
            life.plan = replace(life.plan, does=replace(does, peers=(*now, *others)))
            if life.state is State.HELD:
                self._lives.holdings.change(life, "redirecting")

    # ------------------------------------------------------------ helpers

    def _on(self, resource: Resource) -> list[Life]:
        return [e for e in self._timeline.lives.values() if e.plan.resource == resource]

    def _why_not(self, life: Life) -> str:
        if not life.plan.follows:
            return "the file says that it ends"
        left = life.ends - self._timeline.now
        return "" if left >= WORTH_S else f"{max(0.0, left):.1f} s are left, too few to be seen"

    def _follow(self, life: Life, by: Resource, follows: bool, why: str) -> None:
        told = {"gone": life.plan.resource.target, "by": by.target, "follows": follows}
        self._say(Write("replaced", life.plan.id, {**told, "why": why} if why else told))
        if follows:
            self._join(life, by)
        self._lives.revert(life)

    def _join(self, life: Life, by: Resource) -> None:
        plan = _newcomer(life, by, self._timeline.now, len(self._timeline.lives))
        self._timeline.lives[plan.id] = new = Life(plan, until=life.ends)
        told = {f.name: getattr(plan, f.name) for f in fields(plan)}
        self._say(Write("joined", plan.id, {"planned": told}))
        if plan.prepare:
            self._lives.start(new)

    def _prepared(self, life: Life) -> bool:
        here = self._on(life.plan.resource)
        return all(e.state is State.HELD for e in here if e.plan.prepare)


def _newcomer(life: Life, by: Resource, now: float, number: int) -> PlannedEffect:
    """A newcomer of the same name (a StatefulSet's) needs an id that is its own."""
    old = life.plan
    target = old.target.replace(old.resource.target, by.target, 1)
    name = f"{old.id.partition('/')[0]}/{target}"
    return replace(
        old, id=f"{name}~{number}", target=target, resource=by, does=_there(old.does, by), at=now,
        lasts=0.0 if old.prepare else life.ends - now, instead_of=old.id,
        says=old.says.replace(old.target, target, 1),
    )  # fmt: skip


def _there(does: Effect | Act, by: Resource) -> Effect | Act:
    """What is spared of the same kinds, where the newcomer is."""
    if not (isinstance(does, LinkProfile) and isinstance(by, Link)):
        return does
    names = {spared.name for spared in does.spared}
    return replace(does, spared=tuple(s for s in by.spared if s.name in names))
