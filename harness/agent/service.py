"""The agent's half that serves: one request in, one answer out, under a lease.

What it holds is taken back when the lease runs out and when its client goes. Every
resource's receipt is with the reaper before the resource is first changed, so that taking back
needs nothing of this process. Caveat: the lease begins with the first `make`, `act` or `renew`;
an agent that has changed nothing has nothing to lose.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, FrozenSet, Tuple

from harness.agent.effects import Act, Effect, Exercised, InForce, Resource, Seen, Snapshot
from harness.agent.ladder import Ladder, Mechanism
from harness.agent.protocol import VERSION, Failed, Request
from harness.agent.stepping import step
from harness.agent.trust import Receipt, Trustee
from harness.mechanisms.pods import located
from harness.mechanisms.reach import Reached, reach
from harness.mechanisms.spared_here import settled

#: How long taking back waits for a change of the same resource that is under way.
PATIENCE_S = 5.0


@dataclass
class _Holding:
    """One resource as this run changed it. `lock` is held while it changes; `asked` are the ids of
    the effects that were last asked for; `place` is the resource as mechanisms know it, the same
    for as long as they hold it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    generation: int = -1
    held: bool = False
    asked: FrozenSet[str] = frozenset()
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(""))
    place: Any = None


class Service:
    """Carries out requests; `expire_when_due` is to be called by the reading loop, often and when
    it has heard all that was said."""

    def __init__(self, ladder: Ladder, trustee: Trustee, lease_s: float) -> None:
        self._ladder = ladder
        self._trustee = trustee
        self._lease_s = lease_s
        self._until = 0.0
        self._over = ""
        self._holdings: Dict[Resource, _Holding] = {}
        self._guard = threading.Lock()
        self._ops: Dict[str, Callable[..., Any]] = {
            op: getattr(self, "_" + op)
            for op in (
                "ready", "hello", "rungs", "mechanism", "snapshot", "make", "act", "measure",
                "exercised", "renew", "reach",
            )
        }  # fmt: skip

    def carry_out(self, request: Request) -> Any:
        """The value to answer with; raises `Failed` or whatever a mechanism raised."""
        if request.op not in self._ops:
            raise Failed(f"no operation {request.op!r}")
        return self._ops[request.op](**request.arguments)

    def expire_when_due(self) -> None:
        """Take everything back when the lease was not renewed in time."""
        with self._guard:
            due = not self._over and 0 < self._until < time.monotonic()
            if due:
                self._over = f"the lease was not renewed for {self._lease_s:g} s"
        if due:
            self.take_back()

    @property
    def over(self) -> bool:
        """Its lease has ended: nothing is changed any more."""
        return bool(self._over)

    def close(self, why: str) -> Tuple[str, ...]:
        """Refuse what comes from now on, take everything back; what could not be taken back."""
        with self._guard:
            self._over = self._over or why
        return self.take_back()

    def halt(self, why: str) -> None:
        """The red button: `close`, and what could not be taken back is the reaper's at once."""
        left = self.close(why)
        sys.stderr.write(f"took everything back: {self._over}\n")
        if left:
            self._trustee.renew(time.monotonic())

    def take_back(self) -> Tuple[str, ...]:
        """Everything held, the last first. What could not be, in words; the reaper keeps those."""
        with self._guard:
            resources = list(self._holdings.items())
        return tuple(filter(None, (self._give_back(r, h) for r, h in reversed(resources))))

    # ------------------------------------------------------------ operations

    def _ready(self) -> None:
        """It can answer."""

    def _hello(self) -> Dict[str, Any]:
        return {
            "version": VERSION, "pid": os.getpid(), "mechanisms": self._ladder.working(),
            "monotonic": time.monotonic(), "wall": time.time(), "kernel": platform.release(),
            "python": platform.python_version(),
        }  # fmt: skip

    def _rungs(self, resource: Resource) -> Dict[str, str]:
        return self._ladder.rungs(self._place(resource))

    def _mechanism(self, resource: Resource, effects: Tuple[Effect, ...] = ()) -> str:
        return self._ladder.choose(self._place(resource), effects).name

    def _snapshot(self, resource: Resource) -> Snapshot:
        place = self._place(resource)
        return self._ladder.choose(place).snapshot(place)

    def _make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: Tuple[InForce, ...],
    ) -> None:  # fmt: skip
        mechanism = self._ladder.named(resource, snapshot.mechanism)
        holding = self._holding(resource)
        with holding.lock:
            if generation < holding.generation:
                raise Failed(
                    f"generation {generation} of {resource.target} is over, "
                    f"it has seen {holding.generation}"
                )
            holding.generation = generation
            effects = self._wanted(holding, effects)
            if effects:
                self._hold(holding, Receipt(receipt, resource, snapshot))
            place = holding.place = holding.place or located(resource)
            mechanism.make(place, snapshot, settled(effects, getattr(place, "netns", "")))
            step(" ".join(["made", *(effect.id for effect in effects)]))
            if not effects:
                self._let_go(resource, holding)

    def _act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        self._begin(receipt)
        place = self._place(resource)
        mechanism = self._ladder.choose(place)
        with self._holding(resource).lock:
            self._check_lease()
            step(f"acts {effect_id}")
            seen = self._acting(mechanism)(place, act, effect_id)
            step(f"did {effect_id}")
            return seen

    def _measure(self, resource: Resource, effect: Any, for_s: float) -> Seen:
        place = self._place(resource)
        return self._ladder.choose(place).measure(place, effect, for_s)

    def _exercised(self, resource: Resource, effect_id: str) -> Exercised:
        place = self._place(resource)
        return self._ladder.choose(place).exercised(place, effect_id)

    @staticmethod
    def _reach(address: str, port: int, host: str, path: str, within_s: float) -> Reached:
        return reach(address, port, host, path, within_s)

    def _renew(self) -> None:
        self._check_lease()
        self._prolong()

    # ------------------------------------------------------------ the lease and the trustee

    def _wanted(
        self, holding: _Holding, effects: Tuple[InForce, ...]
    ) -> Tuple[InForce, ...]:  # fmt: skip
        """Once the lease is over, whoever only takes something away gets all of it taken away: also
        what was asked for too late, and refused.
        """
        ids = frozenset(effect.id for effect in effects)
        less = ids < holding.asked
        holding.asked = ids | holding.asked if self._over else ids
        return () if self._over and less else effects

    def _hold(self, holding: _Holding, receipt: Receipt) -> None:
        """Before anything is changed: is the lease good, and could the reaper take it back?"""
        self._begin(receipt.id)
        self._check_lease()
        if not holding.held:
            self._trustee.entrust(receipt)
            step(f"entrusted {receipt.id}")
        holding.held, holding.snapshot = True, receipt.snapshot

    def _let_go(self, resource: Resource, holding: _Holding) -> None:
        if holding.held:
            self._trustee.drop(resource)
        holding.held, holding.place = False, None

    def _place(self, resource: Resource) -> Any:
        """As the mechanism that holds it knows it, or as it is found now."""
        with self._guard:
            holding = self._holdings.get(resource)
        return (holding and holding.place) or located(resource)

    def _begin(self, receipt: str) -> None:
        if not receipt:
            raise Failed("nothing is changed without a receipt")
        if not self._until:
            self._prolong()

    def _prolong(self) -> None:
        with self._guard:
            self._until = time.monotonic() + self._lease_s
        self._trustee.renew(self._until)

    def _check_lease(self) -> None:
        if self._over:
            raise Failed(f"refused: {self._over}; everything was taken back")

    def _holding(self, resource: Resource) -> _Holding:
        with self._guard:
            return self._holdings.setdefault(resource, _Holding())

    def _give_back(self, resource: Resource, holding: _Holding) -> str:
        if not holding.lock.acquire(timeout=PATIENCE_S):
            return f"{resource.target}: a change of it is still under way"
        try:
            if holding.held:
                mechanism = self._ladder.named(resource, holding.snapshot.mechanism)
                mechanism.make(holding.place or located(resource), holding.snapshot, ())
                step(f"agent took back {resource.target}")
                self._let_go(resource, holding)
        except Exception as error:
            if not getattr(error, "target_gone", False):
                return f"{resource.target}: {error}"
            self._let_go(resource, holding)
        finally:
            holding.lock.release()
        return ""

    @staticmethod
    def _acting(mechanism: Mechanism) -> Callable[[Any, Act, str], Seen]:
        act: Any = getattr(mechanism, "act", None)
        if act is None:
            raise Failed(f"{mechanism.name} has no acts")
        found: Callable[[Any, Act, str], Seen] = act
        return found
