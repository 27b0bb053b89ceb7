"""The loopback Substrate: a System on ports of this machine, where there can be no namespaces."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from harness.agent.effects import Processes, ProxiedEdge, Resource, Unit
from harness.capabilities import Edges, Signals, Units
from harness.experiment.system_model import System
from harness.mechanisms.place import EDGES, KEEPERS, PLACE
from harness.substrates.local.agent import agents_of
from harness.substrates.local.channel import world_name
from harness.substrates.local.layout import CLIENT, own_environment
from harness.substrates.local.process import Supervisor
from harness.substrates.local.units import LocalUnits, WorldHands
from harness.substrates.local.world import LocalWorld, start_services
from harness.substrates.loopback import layout
from harness.substrates.loopback.ports import reserved
from harness.substrates.loopback.remains import note
from harness.substrates.loopback.spec import ADDRESS, LoopbackSpec
from harness.substrates.machine import OnThisMachine
from harness.substrates.substrate import Needs, Replica, Topology

_MECHANISMS = {ProxiedEdge: "proxy", Processes: "signals", Unit: "supervisor"}
_SUPERVISOR = "harness.substrates.loopback.supervisor"
CANNOT = (
    "so the system runs on ports of 127.0.0.1: no network.* faults, dependency.* only to all "
    "replicas of a service, no host names, no private /tmp and shared memory, and a proxy in every "
    "call"
)
#: Sockets have paths of 107 bytes at most, and servers put theirs below ours.
_LONGEST = 40
_NOBODY = "nobody"


class LoopbackSubstrate(OnThisMachine):
    """`why` says why this is no local world, and the cure."""

    name = "loopback"
    mechanisms = _MECHANISMS

    def __init__(self, why: str) -> None:
        self._why = why

    def refuse(self, system: System) -> str:
        if sys.platform != "linux":
            return (
                f"a system that we start needs Linux, and this is {sys.platform}: use a Linux "
                "virtual machine or container, or test it on a cluster (--system)"
            )
        if not all(service.run for service in system.services):
            return "all services of a system are started: each needs `run`"
        return ""

    def caveat(self, system: System) -> str:
        return f"{self._why}, {CANNOT}{_as_whom(system)}"

    def topology(self, system: System) -> Topology:
        return layout.planned(system)

    def resources(
        self, capability: type, origins: tuple[Replica, ...], to: tuple[Replica, ...]
    ) -> tuple[Resource, ...]:
        if capability is Edges:
            return tuple(_edge(origin, to_) for origin in origins for to_ in _whole_services(to))
        ours = tuple(origin for origin in origins if origin.name != CLIENT)
        if capability is Signals:
            return tuple(Processes(o.name, keeper=f"{KEEPERS}/{o.name}") for o in ours)
        return tuple(Unit(origin.name) for origin in ours) if capability is Units else ()

    @contextlib.contextmanager
    def open(
        self, system: System, directory: Path, lease_s: float, keep: tuple[Path, ...] = (),
        needs: Needs = Needs(),  # noqa: B008  frozen
    ) -> Iterator[LoopbackWorld]:  # fmt: skip
        """Everything is visible here: there is nothing to `keep`."""
        planned = self.topology(system)
        logs = directory / "services"
        logs.mkdir(parents=True, exist_ok=True)
        drop_to = services_user(system)
        with (
            reserved(layout.wanted(planned)) as ports,
            _place(directory, drop_to) as (name, place),
        ):
            topology = layout.placed(planned, ports)
            doors = layout.doors_of(topology, ports)
            spec = LoopbackSpec(
                name=name, place=str(place),
                commands=layout.commands_of(system, topology, doors, logs, place, name),
                ports={replica.name: replica.port for replica in topology.replicas},
                callers=layout.callers_of(topology, doors),
                drop_to=drop_to,
            )  # fmt: skip
            env = {**own_environment(), PLACE: str(place), layout.WORLD: name}
            supervisor = Supervisor(spec, directory / "world.log", _SUPERVISOR)
            with contextlib.closing(supervisor), agents_of(name, directory, lease_s, env) as agent:
                start_services(name, system, topology, logs)
                units = LocalUnits(name, system, topology)
                hands = WorldHands(units, agent)
                yield LoopbackWorld(supervisor, hands, topology, env, doors)


class LoopbackWorld(LocalWorld):
    """A local world, but for where it is reached."""

    def __init__(
        self, supervisor: Supervisor, hands: WorldHands, topology: Topology, env: dict[str, str],
        doors: layout.Doors,
    ) -> None:  # fmt: skip
        super().__init__(supervisor, hands, topology, env)
        self._doors = doors

    def url(self, planned: str) -> str:
        """By the client's door."""
        url = urlsplit(planned)
        port = self._doors.get((CLIENT, url.hostname or ""))
        return url._replace(netloc=f"{ADDRESS}:{port}").geturl() if port else planned


def _whole_services(replicas: tuple[Replica, ...]) -> tuple[str, ...]:
    """None when of one of them a replica is missing: an edge leads to all."""
    counts = Counter(replica.service for replica in replicas)
    whole = all(counts[replica.service] == replica.of for replica in replicas)
    return tuple(counts) if whole else ()


def _edge(origin: Replica, service: str) -> ProxiedEdge:
    return ProxiedEdge(f"{origin.name}->{service}", layout.edge(origin.name, service))


@contextlib.contextmanager
def _place(directory: Path, drop_to: int) -> Iterator[tuple[str, Path]]:
    """The world's name and directory, noted for `recover` before there is anything in it."""
    temporary = tempfile.gettempdir()
    base = temporary if len(temporary) <= _LONGEST else "/tmp"  # noqa: S108  with a name of ours
    token = secrets.token_hex(4)
    name, place = world_name(token), Path(base, f"harness-{token}")
    note(directory, name, place)
    try:
        place.mkdir(mode=0o700)
        for part in (EDGES, KEEPERS, layout.DATA, layout.HOME, layout.TEMPORARY):
            (place / part).mkdir()
        if drop_to:
            place.chmod(0o711)
            for part in (layout.HOME, layout.TEMPORARY):
                os.chown(place / part, drop_to, drop_to)
        yield name, place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def services_user(system: System) -> int:
    """Servers refuse to run as root, so they are somebody else where that one can read them. 0: the
    same user as we are."""
    ordinary = os.getuid() != 0 or _closed(system)
    return 0 if ordinary else pwd.getpwnam(_NOBODY).pw_uid


def _as_whom(system: System) -> str:
    closed = _closed(system) if os.getuid() == 0 else ""
    return f"; services run as root, since {closed} is closed to others" if closed else ""


def _closed(system: System) -> str:
    """A directory on the way to what services need that ordinary users cannot pass."""
    needed = (system.directory.resolve(), Path(sys.prefix), Path(sys.executable).resolve())
    ways = (way for path in needed for way in (path, *path.parents))
    return next((str(way) for way in ways if not way.stat().st_mode & stat.S_IXOTH), "")
