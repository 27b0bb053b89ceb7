"""Which mechanism carries out what: for each kind of resource, the first here that works.

A mechanism is registered by its place in `LADDER`: `module:Class`, by falling fidelity. It is a
class without arguments that does what `Mechanism` says; it is made once for the agent, and once
more, in a fresh process, by the reaper, which takes back with nothing but the snapshot. It raises
`protocol.Failed` (or `TargetGone`) with a message for people. Its methods run in threads of a pool
that live as long as the agent, so that children tied to their parent thread (PDEATHSIG) do too;
`make` and `act` come one at a time for each resource, `measure` and `exercised` at any time.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any, Dict, List, Optional, Protocol, Tuple, Type

from harness.agent.effects import (
    Edge,
    Effect,
    Exercised,
    InForce,
    Link,
    Processes,
    ProxiedEdge,
    Seen,
    Snapshot,
)
from harness.agent.protocol import Failed

LADDER: Dict[Type[Any], Tuple[str, ...]] = {
    Link: (
        "harness.mechanisms.wire:Wire",  # where we own the cable
        "harness.mechanisms.netem:KernelNetem",
        "harness.mechanisms.tapnetem:TapNetem",
        "harness.mechanisms.nfqueue:NfQueue",
    ),
    Processes: ("harness.mechanisms.signals:Signals",),
    Edge: ("harness.mechanisms.proxy:Proxy",),
    ProxiedEdge: ("harness.mechanisms.standing_proxy:StandingProxy",),
}


class Mechanism(Protocol):
    """One operating-system way to make an effect true. One with acts has
    `act(resource, act, effect_id)`."""

    name: str

    def works(self, resource: Any = None, effects: Tuple[Effect, ...] = ()) -> str:
        """Why it does not work here, for that resource and those effects where they are given; or
        empty. Called often."""
        ...

    def snapshot(self, resource: Any) -> Snapshot: ...

    def make(self, resource: Any, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None: ...

    def measure(self, resource: Any, effect: Any, for_s: float) -> Seen: ...

    def exercised(self, resource: Any, effect_id: str) -> Exercised: ...


class Ladder:
    """The mechanisms of one process, made when they are first asked for."""

    def __init__(self, rungs: Dict[Type[Any], Tuple[str, ...]]) -> None:
        self._rungs = rungs
        self._made: Dict[str, Mechanism] = {}
        self._chosen: Dict[Any, Mechanism] = {}
        self._making = threading.Lock()

    def choose(self, resource: Any, effects: Tuple[Effect, ...] = ()) -> Mechanism:
        """The first that works for all these effects, and from then on the same for that resource;
        raises `Failed` with the reasons of all when none does."""
        if resource not in self._chosen:
            found, reasons = self._first(type(resource), resource, effects)
            if found is None:
                kind = type(resource).__name__.lower()
                raise Failed(f"nothing here can change a {kind} ({reasons})")
            self._chosen[resource] = found
        return self._chosen[resource]

    def named(self, resource: Any, name: str) -> Mechanism:
        """The mechanism that took a snapshot: it takes back, whatever else would work now."""
        for place in self._rungs.get(type(resource), ()):
            mechanism = self._try(place)[1]
            if mechanism is not None and mechanism.name == name:
                return mechanism
        raise Failed(f"no mechanism {name!r} for a {type(resource).__name__.lower()}")

    def working(self) -> Dict[str, str]:
        """For each kind of resource the name of its mechanism, or why there is none."""
        tried = {kind.__name__: self._first(kind) for kind in self._rungs}
        return {kind: found.name if found else why for kind, (found, why) in tried.items()}

    def rungs(self, resource: Any) -> Dict[str, str]:
        """Each mechanism for that resource, by falling fidelity, and why it does not work."""
        tried = {place: self._try(place, resource) for place in self._rungs.get(type(resource), ())}
        return {found.name if found else place: reason for place, (reason, found) in tried.items()}

    def _first(
        self, kind: Type[Any], resource: Any = None, effects: Tuple[Effect, ...] = ()
    ) -> Tuple[Optional[Mechanism], str]:
        """And why those before it do not work."""
        reasons: List[str] = []
        for place in self._rungs.get(kind, ()):
            reason, mechanism = self._try(place, resource, effects)
            if mechanism is not None and not reason:
                return mechanism, "; ".join(reasons)
            reasons.append("{}: {}".format(place.rpartition(".")[2].partition(":")[0], reason))
        return None, "; ".join(reasons)

    def _try(
        self, place: str, resource: Any = None, effects: Tuple[Effect, ...] = ()
    ) -> Tuple[str, Optional[Mechanism]]:
        try:
            with self._making:  # one for all threads: it remembers what it did
                if place not in self._made:
                    module, _, name = place.partition(":")
                    self._made[place] = getattr(importlib.import_module(module), name)()
            return self._made[place].works(resource, effects), self._made[place]
        except (ImportError, AttributeError, OSError) as error:
            return f"{type(error).__name__}: {error}", None
