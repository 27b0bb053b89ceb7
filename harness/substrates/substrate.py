"""Where a system lives: finds targets, starts an agent beside them, and a place for the load."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.agent.effects import Act, Effect, ProxiedEdge, Resource, ToxiproxyEdge
from harness.capabilities import Hands
from harness.experiment.labels import FIELDS, holds, parsed
from harness.experiment.model import Intervention
from harness.experiment.system_model import System
from harness.experiment.workloads import in_full
from harness.load.driver import Launch
from harness.record.moves import Move
from harness.record.plan import Place


@dataclass(frozen=True)
class Replica:
    """`name` is `database` for a service of one, `api-0`, `api-1` … for more. `address` is IPv4.

    `pid` names an attached process; those that we start change theirs. On a cluster `node` is its
    machine, `workload` what keeps it (`deployment/web`), `created` when it was made.
    It is one `of` so many. `behind` says by which Toxiproxy its callers reach it."""

    name: str
    service: str
    zone: str
    address: str
    port: int
    pid: int = 0
    node: str = ""
    of: int = 1
    workload: str = ""
    created: str = ""
    region: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    ready: bool = True
    behind: ToxiproxyEdge | ProxiedEdge | None = None


def _fields(replica: Replica) -> dict[str, str]:
    return dict(zip(FIELDS, (replica.name, replica.node, replica.address), strict=True))


@dataclass(frozen=True)
class Front:
    service: str
    address: str
    port: int


@dataclass(frozen=True)
class Way:
    """How load that lives at `origin` (`here`, `cluster`) reaches a service that has no name there.
    `says` tells a person what that way adds. `forwarded`: the URL is told when the world is up.
    `host` is what the service is called there, where the URL does not say it."""

    service: str
    origin: str
    url: str
    says: str
    forwarded: bool = False
    host: str = ""


@dataclass(frozen=True)
class Topology:
    """Who is there and who calls whom. `client` is the host that the load lives on, and `ways` are
    how it reaches services.

    `fronts` are addresses that stand for all replicas of a service: packets to those are sent to
    the front, and become packets to a replica only beyond the sender's own network."""

    replicas: tuple[Replica, ...]
    calls: tuple[tuple[str, str], ...]
    client: Replica
    ways: tuple[Way, ...] = ()
    fronts: tuple[Front, ...] = ()

    def named(self, reference: str) -> tuple[Replica, ...]:
        """The replicas of a service, one replica, those at `zone/NAME`, `region/NAME` or
        `node/NAME`, one `pod/NAME`, or those of a workload; none if nothing has that name. `api-1`
        is the second of `api` by name where no replica is called so."""
        kind, _, name = in_full(reference).partition("/")
        if name:
            by = {"zone": "zone", "node": "node", "region": "region", "pod": "name"}.get(kind, "")
            wanted = name if by else f"{kind}/{name}"
            return tuple(r for r in self.replicas if getattr(r, by or "workload") == wanted)
        return self._called(reference) or self._numbered(reference)

    def _called(self, reference: str) -> tuple[Replica, ...]:
        return tuple(r for r in (*self.replicas, self.client) if reference in (r.service, r.name))

    def _numbered(self, reference: str) -> tuple[Replica, ...]:
        service, _, number = reference.rpartition("-")
        there = self._called(service) if number.isdigit() else ()
        return there[int(number) : int(number) + 1] if len(there) > 1 else ()

    def labelled(self, selector: str) -> tuple[Replica, ...]:
        terms = parsed(selector)
        return tuple(r for r in self.replicas if holds(terms, dict(r.labels)))

    def like(self, fields: str) -> tuple[Replica, ...]:
        """Those with these fields, as kubectl calls them."""
        terms = parsed(fields)
        return tuple(r for r in self.replicas if holds(terms, _fields(r)))

    @property
    def references(self) -> tuple[str, ...]:
        """Everything that may be named, for a did-you-mean."""
        names = [r.service for r in self.replicas] + [r.name for r in self.replicas]
        zones = [f"zone/{r.zone}" for r in self.replicas if r.zone]
        return tuple(dict.fromkeys(names + zones))

    def addresses(self, replicas: tuple[Replica, ...]) -> tuple[str, ...]:
        """Where packets to these go: to themselves, and to what stands before all of a service."""
        there = {r.name for r in replicas}
        whole = {r.service for r in replicas}
        whole -= {r.service for r in self.replicas if r.name not in there}
        fronts = (front.address for front in self.fronts if front.service in whole)
        return tuple(dict.fromkeys((*(r.address for r in replicas), *fronts)))

    def way(self, service: str, origin: str) -> Way | None:
        return next((w for w in self.ways if (w.service, w.origin) == (service, origin)), None)

    def callers(self, service: str) -> tuple[str, ...]:
        return tuple(caller for caller, callee in self.calls if callee == service)


@dataclass(frozen=True)
class Tenant:
    """Somebody else's pod on a node of the system: what befalls the node befalls it."""

    name: str
    namespace: str
    node: str


@dataclass(frozen=True)
class Budget:
    """A disruption budget: of these pods so many may be missed now, besides those that are."""

    name: str
    pods: tuple[str, ...]
    spare: int


@dataclass(frozen=True)
class Surroundings:
    """What a plan is judged by, all of one moment. `namespace` is the system's own, `sizes` how
    many replicas each workload is to have, `rolling` are those whose rollout is under way."""

    topology: Topology
    namespace: str = ""
    tenants: tuple[Tenant, ...] = ()
    budgets: tuple[Budget, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    rolling: tuple[str, ...] = ()


@dataclass(frozen=True)
class Needs:
    """What a run will need of its world: the resources it changes, for how long at most, so many
    load workers in it, and the `url` that a plan has for its load. No fault lasts longer than
    `longest_s`."""

    run_id: str = ""
    lasts_s: float = 0.0
    resources: tuple[Resource, ...] = ()
    load_workers: int = 0
    url: str = ""
    longest_s: float = 0.0


class Child(Protocol):
    """A process that was started in the world."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        ...

    def terminate(self) -> None:
        """SIGTERM, and SIGKILL when it does not end."""
        ...


class World(Protocol):
    """A system that is up. Leaving the context ends it and all that is in it."""

    name: str
    hands: Hands
    #: Starts load workers that live in it; None where they are spawned on host `client`.
    launch: Launch | None

    def spawn(self, host: str, argv: tuple[str, ...], log: Path) -> Child:
        """Start a process of ours on a host of the world."""
        ...

    def halted(self) -> str:
        """Why a person wants everything taken back now, or empty. Answers at once."""
        ...

    def url(self, planned: str) -> str:
        """Where the load reaches what a plan calls so."""
        ...

    def gate(self) -> str:
        """Why nothing may be injected now, or empty: the place is not as it was planned for.
        Answers at once."""
        ...

    def troubles(self) -> tuple[str, ...]:
        """What ended or restarted by itself since the last call: `api-0 exited with 1`.
        Raises `HandsError(lost=True)` when the world itself has ended."""
        ...

    def moves(self) -> tuple[Move, ...]:
        """Which targets were replaced, and by what, since the last call. Answers at once."""
        ...


class Substrate(Protocol):
    """A place for systems, as one run sees it.

    `sees_processes`: what `World.spawn` starts sees the targets' processes in its own /proc.
    """

    name: str
    sees_processes: bool

    def refuse(self, system: System) -> str:
        """Why this system cannot live here (with the cure), or nothing."""
        ...

    def lacks(self, system: System, timeline: tuple[Intervention, ...]) -> str:
        """What the account that acts there may not do and these faults need, or nothing."""
        ...

    def caveat(self, system: System) -> str:
        """What cannot be shown here that could be, why, and the cure; or nothing."""
        ...

    def topology(self, system: System) -> Topology:
        """Who is there, without starting or changing anything. What only a cluster knows is read
        from it once, so that everything that one plan says is of the same moment. Raises `Refused`
        for what is not there, `NotReady` when nobody answers."""
        ...

    def surroundings(
        self, system: System, nodes: tuple[str, ...], *, outage: bool, anew: bool = False
    ) -> Surroundings:
        """What stands around the targets: who else lives on these nodes; with `outage` also what
        may be missed. `anew` asks the cluster once more, and changes nothing that was planned.
        Raises as `topology`."""
        ...

    def forbids(self, kind: str, replica: Replica, *, named: bool = False) -> str:
        """Why a fault of this kind must not act there, though it could; or nothing. `named`: the
        file means that very one, by its own name."""
        ...

    def place(self) -> Place | None:
        """Where that is; None for this machine."""
        ...

    def resources(
        self, capability: type, origins: tuple[Replica, ...], to: tuple[Replica, ...]
    ) -> tuple[Resource, ...]:
        """The resources of these targets that offer the capability, in their order; `to` narrows
        an edge. Empty when they do not offer it."""
        ...

    def cannot(self, resource: Resource, does: Effect | Act) -> str:
        """Why this cannot be done there (with the cure), or nothing."""
        ...

    def mechanism(self, resource: Resource) -> str:
        """What will carry effects on it out, as far as can be told without starting anything."""
        ...

    def open(
        self, system: System, directory: Path, lease_s: float, keep: tuple[Path, ...] = (),
        needs: Needs = Needs(),
    ) -> AbstractContextManager[World]:  # fmt: skip
        """Start the system, or what its targets need; logs go under `directory`. `keep`: more paths
        that must be visible inside. Raises `NotReady`, `Refused`."""
        ...
