"""Carries out one engine command against a world's hands: the only file that touches targets.

Each function blocks for a bounded time and answers with what the engine expects. Retries are
tenacity's: three tries for a revert, none for an inject (an unanswered inject is taken back).
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)
from tenacity.nap import sleep_using_event

from harness.agent.effects import (
    Act,
    Exercised,
    InForce,
    LinkProfile,
    Resource,
    Snapshot,
    encode,
)
from harness.agent.stepping import step
from harness.capabilities import Hands, HandsError
from harness.faults.fault import Fault, Held, Look
from harness.mechanisms.ownership import changes
from harness.record.plan import PlannedEffect
from harness.record.witness import Witnessed
from harness.run import lifecycle as go

BEFORE_S = 0.8
#: Twice as long with each try, and the pause before it four times: a node that came back a moment
#: ago may fall once more. 10 to 17 s in all.
GONE_S, PAUSE_S = 0.4, 0.5


@dataclass
class Watch:
    """What was seen of one effect so far."""

    before: Look | None = None
    since: float = 0.0
    until: float | None = None
    looks: list[Look] = field(default_factory=list)
    exercised: Exercised | None = None


class Performer:
    """Holds a plan's faults and what their witnesses saw; `perform` runs in a worker thread.
    `effects` are all that there are by now, newcomers too."""

    def __init__(
        self, effects: Callable[[], tuple[PlannedEffect, ...]], faults: dict[str, Fault],
        hands: Hands, epoch: Callable[[], float],
        in_force: Callable[[], tuple[tuple[Resource, InForce], ...]],
    ) -> None:  # fmt: skip
        self._effects = effects
        self._faults = faults
        self._hands = hands
        self._epoch = epoch
        self._in_force = in_force
        self._watches: defaultdict[str, Watch] = defaultdict(Watch)
        self._hurry = threading.Event()
        self._chosen: set[Resource] = set()

    def hurry(self) -> None:
        """A second Ctrl-C: no more pauses between tries. Nothing is skipped."""
        self._hurry.set()

    def perform(self, command: go.Command) -> Any:
        """The result for `Done`. Raises `HandsError` or what the fault's judgement raised."""
        match command:
            case go.TakeSnapshot(effect):
                return self._snapshot(self._effect(effect))
            case go.Make():
                return self._make(command)
            case go.Perform(effect, receipt):
                return self._act(self._effect(effect), receipt)
            case go.LookBefore(effect):
                return self._look_before(self._effect(effect))
            case go.Look(effect, for_s):
                return self._look(self._effect(effect), for_s)
            case go.CheckGone(effect, snapshot, earlier):
                return self._check_gone(self._effect(effect), snapshot, earlier)
        raise AssertionError(command)

    def judged(self, effect: PlannedEffect) -> tuple[Witnessed, ...]:
        """The verdict of the witness over everything it saw."""
        watch = self._watches[effect.id]
        until = watch.until or time.monotonic()
        # A look that was still under way when the revert began saw a bit of both; so did one whose
        # last probes were on their way then.
        whole = [look for look in watch.looks if look.seen.end <= until]
        clear = [look for look in whole if look.seen.end <= until - _on_the_way_s(effect)]
        held = self._held(effect, clear or whole)
        return self._fault(effect).judge(held) if held.looks else ()

    def exercised(self, effect: PlannedEffect) -> Exercised:
        """The system's own traffic that met the effect, as last counted while it was on."""
        return self._watches[effect.id].exercised or Exercised(0, "")

    # ------------------------------------------------------------ one command each

    def _snapshot(self, effect: PlannedEffect) -> Snapshot:
        taken = self._hands.snapshot(effect.resource)
        step(f"snapshot {effect.id}")
        return taken

    def _make(self, command: go.Make) -> None:
        effect = self._effect(command.effect)
        zero = self._epoch()
        in_force = tuple(replace(e, since=e.since + zero) for e in command.in_force)
        comes = any(e.id == effect.id for e in in_force)
        if comes:
            self._watches[effect.id].since = time.monotonic()
        else:
            self._watches[effect.id].until = time.monotonic()
            self._count(effect)  # the mechanism forgets its counters with the effect
        tries = self._retrying(1 if comes else 3)
        tries(
            self._hands.make, effect.resource, command.receipt, command.generation,
            command.snapshot, in_force,
        )  # fmt: skip

    def _retrying(self, attempts: int) -> Retrying:
        return Retrying(
            stop=stop_after_attempt(attempts),
            wait=wait_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception(
                lambda e: isinstance(e, HandsError) and not e.lost and not e.target_gone
            ),
            sleep=sleep_using_event(self._hurry),
            reraise=True,
        )

    def _act(self, effect: PlannedEffect, receipt: str) -> go.Finding:
        watch = self._watches[effect.id]
        watch.since = time.monotonic()
        self._hands.act(effect.resource, receipt, _act_of(effect), effect.id)
        # Who acts is no witness: what it answered counts for nothing.
        return self._found(effect, self._measure(effect, 0.0))

    def _choose(self, resource: Resource) -> None:
        """One mechanism for all that the run will want of that resource."""
        if resource not in self._chosen:
            wanted = (e for e in self._effects() if e.resource == resource and not e.event)
            self._hands.mechanism(resource, tuple(e.does for e in wanted))  # type: ignore[misc]
            self._chosen.add(resource)

    def _look_before(self, effect: PlannedEffect) -> go.Finding:
        self._choose(effect.resource)
        look = self._watches[effect.id].before = self._measure(effect, BEFORE_S)
        return go.Finding(fine=True, data={"seen": encode(look.seen)})

    def _look(self, effect: PlannedEffect, for_s: float) -> go.Finding:
        return self._found(effect, self._measure(effect, for_s))

    def _found(self, effect: PlannedEffect, look: Look) -> go.Finding:
        self._watches[effect.id].looks.append(look)
        self._count(effect)
        alone = self._fault(effect).judge(self._held(effect, [look]))
        fine = bool(alone) and all(w.confirmed is not False for w in alone)
        data = {"seen": encode(look.seen), "witnessed": [asdict(w) for w in alone]}
        return go.Finding(fine, data=data)

    def _check_gone(
        self, effect: PlannedEffect, snapshot: Snapshot | None, earlier: int
    ) -> go.Finding:
        if earlier:
            self._hurry.wait(PAUSE_S * 4 ** (earlier - 1))
        found: list[str] = []
        foreign = ""
        if not effect.prepare:
            after = self._measure(effect, GONE_S * 2**earlier)
            found.append(self._fault(effect).gone(self._held(effect, []), after))
        if snapshot is not None:
            ours, foreign = changes(snapshot, self._hands.snapshot(effect.resource))
            found.append(ours)
        reason = "; ".join(filter(None, found))
        data = {"reason": reason, "foreign": foreign and f"changed by somebody else: {foreign}"}
        return go.Finding(not reason, reason, {key: text for key, text in data.items() if text})

    # ------------------------------------------------------------ helpers

    def _effect(self, id: str) -> PlannedEffect:
        return next(effect for effect in self._effects() if effect.id == id)

    def _count(self, effect: PlannedEffect) -> None:
        with suppress(HandsError):  # a lost count shows as not exercised, it must not stop a revert
            counted = self._hands.exercised(effect.resource, effect.id)
            self._watches[effect.id].exercised = counted

    def _measure(self, effect: PlannedEffect, for_s: float) -> Look:
        others = tuple(pair for pair in self._in_force() if pair[1].id != effect.id)
        zero = self._epoch()
        seen = self._hands.measure(effect.resource, effect.does, for_s)
        placed = tuple((r, replace(e, since=e.since + zero)) for r, e in others)
        return Look(seen, placed)

    def _held(self, effect: PlannedEffect, looks: list[Look]) -> Held:
        watch = self._watches[effect.id]
        assert watch.before is not None, "looked before"
        return Held(effect.resource, watch.before, tuple(looks), watch.since, watch.until)

    def _fault(self, effect: PlannedEffect) -> Fault:
        return self._faults[effect.intervention]


def _on_the_way_s(effect: PlannedEffect) -> float:
    """The longest that the effect holds a packet back."""
    does = effect.does
    return does.delay.peak if isinstance(does, LinkProfile) and does.delay else 0.0


def _act_of(effect: PlannedEffect) -> Act:
    assert effect.event, "a condition has no act"
    return effect.does  # type: ignore[return-value]
