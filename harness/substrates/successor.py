"""Hands that outlive their agent: a fresh one takes back and looks, and never injects.

When an agent dies, its reaper takes everything back. That is not believed but looked at: the first
call that finds the agent lost starts a successor beside the same targets. The lost lease still ends
the run (`renew` says so); whatever is made after that is the snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from harness.agent.effects import Act, Effect, Exercised, InForce, Resource, Seen, Snapshot
from harness.capabilities import Hands, HandsError
from harness.errors import NotReady
from harness.substrates.hands import AgentHands

T = TypeVar("T")


@contextmanager
def succeeding(
    agent: Callable[[], AbstractContextManager[AgentHands]],
) -> Iterator[SucceedingHands]:
    """An agent that has started, and another when that one is lost. Raises `NotReady`."""
    with ExitStack() as agents:

        def start() -> AgentHands:
            hands = agents.enter_context(agent())
            hands.ready()
            return hands

        try:
            first = start()
        except HandsError as error:
            raise NotReady(f"the agent does not start: {error}") from None
        hands = SucceedingHands(first, start)
        try:
            yield hands
        finally:
            hands.over()


class SucceedingHands:
    """`again` starts an agent; it is called once at most."""

    def __init__(self, first: Hands, again: Callable[[], Hands]) -> None:
        self._hands = first
        self._again = again
        self._succeeded = self._over = False
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def mechanism(self, resource: Resource, effects: tuple[Effect, ...] = ()) -> str:
        return self._ask(lambda hands: hands.mechanism(resource, effects))

    def snapshot(self, resource: Resource) -> Snapshot:
        return self._ask(lambda hands: hands.snapshot(resource))

    def make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: tuple[InForce, ...],
    ) -> None:  # fmt: skip
        new = {effect.id for effect in effects} - self._known
        self._known |= new
        if new:  # an inject: only the agent that this run began with may do it
            self._refuse_after_loss()
            self._hands.make(resource, receipt, generation, snapshot, effects)
        else:
            self._ask(lambda hands: hands.make(
                resource, receipt, generation, snapshot, () if self._succeeded else effects,
            ))  # fmt: skip

    def act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        self._refuse_after_loss()
        return self._hands.act(resource, receipt, act, effect_id)

    def measure(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> Seen:
        return self._ask(lambda hands: hands.measure(resource, effect, for_s))

    def exercised(self, resource: Resource, effect_id: str) -> Exercised:
        return self._hands.exercised(resource, effect_id)

    def renew(self) -> None:
        """A successor holds nothing, so there is nothing to prolong: the run is over."""
        self._refuse_after_loss()
        self._hands.renew()

    def over(self) -> None:
        """Nobody succeeds from now on: a look that was on its way finds its agent gone, and one
        that it started then would be nobody's to end."""
        with self._lock:
            self._over = True

    def _refuse_after_loss(self) -> None:
        if self._succeeded:
            raise HandsError("the agent was lost: nothing is injected any more", lost=True)

    def _ask(self, question: Callable[[Hands], T]) -> T:
        asked = self._hands
        try:
            return question(asked)
        except HandsError as error:
            if not error.lost:
                raise
        self._succeed(asked)
        return question(self._hands)

    def _succeed(self, lost: Hands) -> None:
        with self._lock:
            if self._over:
                raise HandsError("the run is over", lost=True)
            if self._hands is lost:
                self._hands = self._again()
                self._succeeded = True
