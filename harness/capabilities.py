"""What a target can offer to a fault: small protocols, each over one kind of resource.

A fault names the protocol that it needs; a substrate says which of its targets offer it and as
which resources; a mechanism of the agent (or the substrate itself) carries it out. There is one
verb for changing anything, `make`: idempotent, and with no effects it means the snapshot.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, TypeVar

from harness.agent.effects import (
    Act,
    Edge,
    Effect,
    Exercised,
    InForce,
    Link,
    Node,
    Pod,
    Processes,
    Resource,
    Seen,
    Snapshot,
    Unit,
    Workload,
)

R_contra = TypeVar("R_contra", contravariant=True)


class Conditions(Protocol[R_contra]):
    """Makes conditions true by desired state, and sees from elsewhere whether they are."""

    def snapshot(self, resource: R_contra) -> Snapshot:
        """The settings now: only keys that `make` may write."""
        ...

    def make(self, resource: R_contra, snapshot: Snapshot, effects: tuple[InForce, ...]) -> None:
        """Make these effects, and no others, true."""
        ...

    def measure(self, resource: R_contra, effect: Effect | Act | None, for_s: float) -> Seen:
        """Look for about `for_s` seconds from another vantage point, with probes that match the
        effect's filter.
        """
        ...

    def exercised(self, resource: R_contra, effect_id: str) -> Exercised:
        """How much of the system's own traffic has met the effect so far."""
        ...


class Links(Conditions[Link], Protocol):
    """Packets to and from the target can be delayed, lost, limited, changed or cut."""

    resource: ClassVar[type] = Link


class Signals(Conditions[Processes], Protocol):
    """The target's processes can be stopped, continued and killed."""

    resource: ClassVar[type] = Processes

    def act(self, resource: Processes, act: Act, effect_id: str) -> Seen: ...


class Edges(Conditions[Edge], Protocol):
    """TCP connections from a caller to a dependency can run through our proxy."""

    resource: ClassVar[type] = Edge


class Units(Protocol):
    """The substrate can restart the target, and knows whether it is up."""

    resource: ClassVar[type] = Unit

    def act(self, resource: Unit, act: Act, effect_id: str) -> Seen: ...

    def measure(self, resource: Unit, effect: Effect | Act | None, for_s: float) -> Seen: ...


class Pods(Protocol):
    """A pod can be deleted, and its containers killed."""

    resource: ClassVar[type] = Pod

    def act(self, resource: Pod, act: Act, effect_id: str) -> Seen: ...

    def measure(self, resource: Pod, effect: Effect | Act | None, for_s: float) -> Seen: ...


class Workloads(Conditions[Workload], Protocol):
    """A workload can be scaled, and rolled out with another image."""

    resource: ClassVar[type] = Workload


class Nodes(Conditions[Node], Protocol):
    """A node can be cordoned, drained and powered off."""

    resource: ClassVar[type] = Node


class Hands(Protocol):
    """All of a world's capabilities behind one set of verbs, over a distance: what the run holds.

    Every call has a timeout and raises `HandsError`. `make` with a generation lower than the last
    one is refused; a call that was not answered counts as made. `receipt` names the journal's
    line that was fsynced before.
    """

    def mechanism(self, resource: Resource, effects: tuple[Effect, ...] = ()) -> str:
        """The name of what will carry these effects out: chosen by the ladder when it is first
        asked, for all that the run will want of that resource."""
        ...

    def snapshot(self, resource: Resource) -> Snapshot: ...

    def make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: tuple[InForce, ...],
    ) -> None: ...  # fmt: skip

    def act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        """Do it, once; `exercised` tells later who met the one of that id."""
        ...

    def measure(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> Seen: ...

    def exercised(self, resource: Resource, effect_id: str) -> Exercised: ...

    def renew(self) -> None:
        """Prolong the lease by its length (5 s). Raises `HandsError` when it was lost."""
        ...


class HandsError(Exception):
    """The other side refused, failed, or did not answer. `lost`: nobody is there any more."""

    def __init__(self, message: str, *, lost: bool = False, target_gone: bool = False) -> None:
        super().__init__(message)
        self.lost = lost
        self.target_gone = target_gone
