"""Who is told which address: purely from the System file, and the ports that there are for it.

The plan names services by the ports of the file. When the world is started every replica gets a
port of its own, and every caller one for each service that it calls, where a proxy stands: a door.
A service has one door to all of its replicas, and one for each where there are several. A caller
that does not declare a call is told the replica's own port: no proxy stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.experiment.system_model import Service, System
from harness.mechanisms.place import EDGES
from harness.substrates.local.layout import (
    CLIENT,
    command,
    means_nothing,
    own_values,
    service_environment,
    topology_of,
)
from harness.substrates.local.spec import Command
from harness.substrates.loopback.spec import ADDRESS, Caller, Door, Passage
from harness.substrates.substrate import Replica, Topology

#: Of the world's directory.
DATA, HOME, TEMPORARY = "data", "home", "tmp"
#: A file of it: the pids of all main processes that there ever were, a line each.
MAINS = "mains"
#: The variable by which a process that got away is known.
WORLD = "HARNESS_WORLD"

#: Caller and what it calls, to the door's port: `("api-0", "database")`.
Doors = dict[tuple[str, str], int]


def planned(system: System) -> Topology:
    """Who is there, with the ports of the file."""
    found = topology_of(system)
    here = tuple(replace(replica, address=ADDRESS) for replica in found.replicas)
    return Topology(here, found.calls, replace(found.client, address=ADDRESS))


def edge(caller: str, service: str) -> str:
    """Where the proxy of an edge is told."""
    return f"{EDGES}/{caller}.{service}"


def wanted(topology: Topology) -> int:
    """How many ports a world of this needs."""
    return len(topology.replicas) + sum(len(names) for _, _, names in _edges(topology))


def placed(topology: Topology, ports: list[int]) -> Topology:
    """The same with a port for each replica: the first ones."""
    replicas = tuple(replace(r, port=p) for r, p in zip(topology.replicas, ports, strict=False))
    return replace(topology, replicas=replicas)


def doors_of(topology: Topology, ports: list[int]) -> Doors:
    """The others, for the doors."""
    ways = [(caller, name) for caller, _, names in _edges(topology) for name in names]
    return dict(zip(ways, ports[len(topology.replicas) :], strict=True))


def callers_of(topology: Topology, doors: Doors) -> tuple[Caller, ...]:
    passages: dict[str, list[Passage]] = {}
    for caller, service, names in _edges(topology):
        made = tuple(
            Door(doors[caller, name], tuple(r.port for r in topology.named(name))) for name in names
        )
        passages.setdefault(caller, []).append(Passage(edge(caller, service), made))
    return tuple(Caller(name, tuple(there)) for name, there in passages.items())


def _edges(topology: Topology) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Caller, service, and by which names it may be called. The client may call everybody."""
    services = dict.fromkeys(replica.service for replica in topology.replicas)
    calls = [
        (r.name, to) for r in topology.replicas for by, to in topology.calls if by == r.service
    ]
    for caller, service in (*((CLIENT, service) for service in services), *calls):
        replicas = [replica.name for replica in topology.named(service)]
        yield caller, service, tuple(dict.fromkeys((service, *replicas)))


def commands_of(
    system: System, topology: Topology, doors: Doors, logs: Path, place: Path, world: str
) -> tuple[Command, ...]:
    """What runs for each replica. `topology` has their own ports."""
    env = {
        **service_environment(str(place / HOME)),
        "TMPDIR": str(place / TEMPORARY), WORLD: world,
    }  # fmt: skip
    return tuple(
        command(system, _service(system, replica), replica, logs, value, env)
        for replica in topology.replicas
        for value in (_value(replica, topology, doors, place),)
    )


def _service(system: System, replica: Replica) -> Service:
    service = system.service(replica.service)
    assert service is not None
    return service


def _value(replica: Replica, topology: Topology, doors: Doors, place: Path) -> Callable[[str], str]:
    return partial(_stands_for, replica=replica, topology=topology, doors=doors, place=place)


def _stands_for(name: str, replica: Replica, topology: Topology, doors: Doors, place: Path) -> str:
    own = own_values(replica, str(place / DATA / replica.name))
    if name in own:
        return own[name]
    other, _, field = name.partition(".")
    found = topology.named(other)
    if found and field in ("host", "port"):
        port = doors.get((replica.name, other), found[0].port)
        return ADDRESS if field == "host" else str(port)
    raise means_nothing(name, replica)
