"""The Substrate of what already runs here: finds it, and gives load and agent a place beside it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from harness.agent.effects import (
    Act,
    Effect,
    Processes,
    ProxiedEdge,
    Resource,
    Toxic,
    ToxiproxyEdge,
)
from harness.capabilities import Edges, Hands, Signals
from harness.experiment.system_model import Service, System
from harness.load.driver import Launch
from harness.mechanisms.place import PLACE
from harness.record.moves import Move
from harness.substrates.attached import behind
from harness.substrates.attached.children import AttachedChild, tied_child
from harness.substrates.attached.identity import is_served, listening_on, start_of
from harness.substrates.attached.proxies import Proxies, control_of
from harness.substrates.hands import AgentHands
from harness.substrates.machine import OnThisMachine
from harness.substrates.substrate import Child, Needs, Replica, Topology
from harness.substrates.successor import SucceedingHands, succeeding

_MECHANISMS = {ToxiproxyEdge: "toxiproxy", ProxiedEdge: "proxy", Processes: "signals"}
_HERE = "127.0.0.1"
_END_S = 5.0


class AttachedSubstrate(OnThisMachine):
    name = "attached"
    mechanisms = _MECHANISMS

    def refuse(self, system: System) -> str:
        if sys.platform != "linux":
            return f"attaching to processes needs Linux, and this is {sys.platform}"
        here = next(filter(None, map(_missing, system.services)), "")
        return here or behind.refuse(system, self.topology(system))

    def topology(self, system: System) -> Topology:
        replicas = tuple(_replica(service, system) for service in system.services)
        calls = tuple((service.name, to) for service in system.services for to in service.calls)
        return Topology(replicas, calls, Replica("client", "client", "", _HERE, 0))

    def resources(
        self,
        capability: type,
        origins: tuple[Replica, ...],
        to: tuple[Replica, ...],
    ) -> tuple[Resource, ...]:
        """Their processes as they are now; for edges, the proxy before each dependency."""
        if capability is Edges:
            return tuple(dict.fromkeys(replica.behind for replica in to if replica.behind))
        if capability is not Signals:
            return ()
        return tuple(found for origin in origins if (found := _processes(origin)))

    def cannot(self, resource: Resource, does: Effect | Act) -> str:
        """Each change of a toxic lets through what it holds back, so steps are all it can do."""
        if isinstance(resource, ToxiproxyEdge) and isinstance(does, Toxic):
            smooth = [name for name, c in does.numbers if c.smooth and not c.is_constant]
            if smooth:
                return f"a Toxiproxy cannot vary {smooth[0]} little by little; write step: [...]"
        return ""

    @contextlib.contextmanager
    def open(
        self,
        system: System,
        directory: Path,
        lease_s: float,
        keep: tuple[Path, ...] = (),
        needs: Needs = Needs(),  # noqa: B008  frozen
    ) -> Iterator[AttachedWorld]:
        proxies = Proxies(system, directory)
        with contextlib.closing(proxies), agents_here(directory, lease_s) as hands:
            world = AttachedWorld(hands, self.topology(system), proxies)
            try:
                yield world
            finally:
                world.close()


def agents_here(
    directory: Path, lease_s: float
) -> contextlib.AbstractContextManager[SucceedingHands]:
    """An agent beside us, and another when that one is lost."""
    return succeeding(lambda: _agent(directory, lease_s))


@contextlib.contextmanager
def _agent(directory: Path, lease_s: float) -> Iterator[AgentHands]:
    program = "harness.substrates.attached.agent"
    argv = [sys.executable, "-P", "-m", program, "--lease", f"{lease_s:g}"]
    with (directory / "agent.log").open("ab") as log:
        agent = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=directory,
            env={**os.environ, PLACE: "."}, start_new_session=True,
        )  # fmt: skip
    assert agent.stdin
    assert agent.stdout
    hands = AgentHands(cast("BinaryIO", agent.stdout), cast("BinaryIO", agent.stdin))
    try:
        yield hands
    finally:
        hands.close()
        AttachedChild(agent).terminate()
        agent.stdout.close()


class AttachedWorld:
    name = ""

    def __init__(self, hands: Hands, topology: Topology, proxies: Proxies) -> None:
        self.launch: Launch | None = None
        self.hands = hands
        self._proxies = proxies
        self._foreign = behind.foreign(topology)
        self._children: list[AttachedChild] = []
        self._known = {r.name: p for r in topology.replicas if (p := _processes(r))}

    def spawn(self, host: str, argv: tuple[str, ...], log: Path) -> Child:
        """Every host is this machine. The process ends with us, however we end."""
        child = tied_child(argv, log)
        self._children.append(child)
        return child

    def halted(self) -> str:
        return ""

    def url(self, planned: str) -> str:
        return planned

    def gate(self) -> str:
        return ""

    def moves(self) -> tuple[Move, ...]:
        """A replica that is started again keeps its place, and what is done to it."""
        return ()

    def troubles(self) -> tuple[str, ...]:
        gone = [name for name, p in self._known.items() if start_of(p.pid) != p.start]
        for name in gone:
            del self._known[name]
        foreign, self._foreign = self._foreign, ()
        return (*foreign, *self._proxies.troubles(), *(f"{name} ended" for name in gone))

    def close(self) -> None:
        for child in self._children:
            child.terminate()


def _missing(service: Service) -> str:
    if service.run:
        return f"{service.name}: services that we start and attached ones cannot be mixed yet"
    if service.attach_pid and not start_of(service.attach_pid):
        return f"{service.name}: there is no process {service.attach_pid}"
    if service.attach_port and not is_served(service.attach_port):
        return f"{service.name}: nothing listens on port {service.attach_port}"
    return ""


def _replica(service: Service, system: System) -> Replica:
    url = urlsplit(service.url or f"tcp://{service.upstream}")
    port = service.attach_port or url.port or service.port or _port_of(url.scheme)
    zone = service.zones[0] if service.zones else ""
    return Replica(
        service.name, service.name, zone, url.hostname or _HERE, port, service.attach_pid,
        behind=_behind(service, system),
    )  # fmt: skip


def _behind(service: Service, system: System) -> ToxiproxyEdge | ProxiedEdge | None:
    if not service.upstream:
        return None
    callers = tuple(other.name for other in system.services if service.name in other.calls)
    target = f"{'+'.join(callers) or 'client'}->{service.name}"
    if not service.toxiproxy:
        return ProxiedEdge(target, control_of(service))
    return ToxiproxyEdge(
        target, service.toxiproxy, service.proxy, service.upstream, service.probe, callers,
        service.greeting,
    )  # fmt: skip


def _port_of(scheme: str) -> int:
    return {"http": 80, "https": 443}.get(scheme, 0)


def _processes(replica: Replica) -> Processes | None:
    pid = replica.pid or (listening_on(replica.port) if _is_here(replica) else 0)
    start = start_of(pid) if pid else 0
    ports = (replica.port,) if replica.port else ()
    return Processes(replica.name, pid=pid, start=start, ports=ports) if start else None


def _is_here(replica: Replica) -> bool:
    return bool(replica.port) and replica.address in (_HERE, "localhost", "::1", "0.0.0.0")  # noqa: S104
