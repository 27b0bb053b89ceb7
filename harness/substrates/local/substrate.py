"""The local Substrate: where a System lives when there is no cluster, and no root."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import harness
from harness.agent.effects import Edge, Link, Processes, Resource, Unit
from harness.agent.stepping import step
from harness.capabilities import Edges, Links, Signals, Units
from harness.experiment.system_model import System
from harness.substrates.local import layout
from harness.substrates.local.channel import world_name
from harness.substrates.local.mounts import is_private
from harness.substrates.local.process import Supervisor
from harness.substrates.local.spec import NETNS, PRIVATE, Host, WorldSpec
from harness.substrates.local.support import why_not
from harness.substrates.local.units import LocalUnits, WorldHands
from harness.substrates.local.world import LocalWorld, start_services
from harness.substrates.machine import OnThisMachine
from harness.substrates.substrate import Needs, Replica, Topology

#: The first rungs of the agent's ladder, all of which work in a world of our own.
_MECHANISMS = {Link: "wire", Edge: "proxy", Processes: "signals", Unit: "supervisor"}


class LocalSubstrate(OnThisMachine):
    name = "local"
    mechanisms = _MECHANISMS

    def refuse(self, system: System) -> str:
        if not all(service.run for service in system.services):
            return "a local world starts all of its services: each needs `run`"
        if str(system.directory.absolute()) in PRIVATE:
            return f"{system.path}: a world replaces {system.directory}; use a directory below it"
        return why_not()

    def topology(self, system: System) -> Topology:
        return layout.topology_of(system)

    def resources(
        self, capability: type, origins: tuple[Replica, ...], to: tuple[Replica, ...]
    ) -> tuple[Resource, ...]:
        if capability is Links:
            return tuple(map(_link, origins))
        if capability is Edges:
            return tuple(edge for origin in origins for edge in _edges(origin, to))
        ours = tuple(origin for origin in origins if origin.name != layout.CLIENT)
        if capability is Signals:
            return tuple(map(_processes, ours))
        return tuple(Unit(origin.name) for origin in ours) if capability is Units else ()

    @contextlib.contextmanager
    def open(
        self, system: System, directory: Path, lease_s: float, keep: tuple[Path, ...] = (),
        needs: Needs = Needs(),  # noqa: B008  frozen
    ) -> Iterator[LocalWorld]:  # fmt: skip
        """`keep`: more paths that must be visible inside, wherever they lie."""
        from harness.substrates.local.agent import agents_of

        topology = self.topology(system)
        logs = directory / "services"
        logs.mkdir(parents=True, exist_ok=True)
        spec = world_spec(system, topology, directory, keep)
        supervisor = Supervisor(spec, directory / "world.log")
        env = layout.own_environment()
        with contextlib.closing(supervisor), agents_of(spec.name, directory, lease_s, env) as agent:
            step("world starting")
            start_services(spec.name, system, topology, logs)
            units = LocalUnits(spec.name, system, topology)
            yield LocalWorld(supervisor, WorldHands(units, agent), topology, env)


def world_spec(
    system: System, topology: Topology, directory: Path, keep: tuple[Path, ...]
) -> WorldSpec:
    program = (Path(sys.prefix), Path(sys.base_prefix), Path(harness.__file__).parent)
    paths = (Path.cwd(), system.directory, directory, *program, *keep)
    return WorldSpec(
        name=world_name(f"{system.metadata.name}-{secrets.token_hex(3)}"),
        hosts=layout.hosts_of(system),
        commands=layout.commands_of(system, topology, directory / "services"),
        names=layout.names_of(topology),
        keep=tuple(
            str(way) for p in paths for way in (p.absolute(), p.resolve()) if is_private(str(way))
        ),
    )


def _host(replica: Replica) -> Host:
    """The host that a replica's address tells."""
    high, low = replica.address.split(".")[2:]
    return Host(replica.name, (int(high) << 8) + int(low))


def _link(replica: Replica) -> Link:
    host = _host(replica)
    return Link(replica.name, host.netns, host.cable, host.address, host.mac)


def _processes(replica: Replica) -> Processes:
    ports = (replica.port,) if replica.port else ()
    return Processes(replica.name, netns=f"{NETNS}/{replica.name}", ports=ports)


def _edges(origin: Replica, to: tuple[Replica, ...]) -> Iterator[Edge]:
    """One edge for each service called."""
    for service in dict.fromkeys(replica.service for replica in to):
        there = [replica for replica in to if replica.service == service]
        name = there[0].name if len(there) == 1 else service
        addresses = tuple(replica.address for replica in there)
        yield Edge(f"{origin.name}->{name}", f"{NETNS}/{origin.name}", addresses, there[0].port)
