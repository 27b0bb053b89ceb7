"""A local world that is up: services in the order of who calls whom, an agent, a place for load.

Services start in waves: first those that call nobody, then their callers; replicas of a wave start
together. All of it ends with the supervisor, whatever ends that.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.capabilities import Hands, HandsError
from harness.errors import NotReady
from harness.experiment.system_model import Service, System
from harness.load.driver import Launch
from harness.record.moves import Move
from harness.substrates.local import channel
from harness.substrates.local.process import Supervisor, WorldChild, spawn_logged
from harness.substrates.local.readiness import is_ready
from harness.substrates.substrate import Child, Replica, Topology

READY_S = 30.0
_LOOK_S = 0.02
_LAST_LINES = 15
#: Whoever asks is the loop that renews the lease.
_TELLS_S = 1.0


class LocalWorld:
    """`topology` has the addresses that are in use, `env` is that of our own processes there."""

    def __init__(
        self, supervisor: Supervisor, hands: Hands, topology: Topology, env: Mapping[str, str]
    ) -> None:
        self.name = supervisor.name
        self.launch: Launch | None = None
        self.hands = hands
        self.topology = topology
        self._supervisor = supervisor
        self._env = env

    @property
    def alive(self) -> bool:
        return self._supervisor.alive

    def spawn(self, host: str, argv: tuple[str, ...], log: Path) -> Child:
        child: WorldChild = spawn_logged(self.name, host, argv, log, self._env)
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
        try:
            return tuple(
                channel.request(self.name, "troubles", timeout_s=_TELLS_S).fields["troubles"]
            )
        except channel.ChannelError as error:
            if error.lost:
                raise HandsError("the world has ended", lost=True) from None
            return (f"the world does not answer: {error}",)


def start_services(world: str, system: System, topology: Topology, logs: Path) -> None:
    """Start all replicas and wait until they answer. Raises NotReady."""
    for wave in waves(system.services):
        replicas = [r for r in topology.replicas if r.service in wave]
        with ThreadPoolExecutor(max_workers=len(replicas)) as pool:
            started = [pool.submit(_start, world, system, replica, logs) for replica in replicas]
        for future in started:
            future.result()


def waves(services: Sequence[Service]) -> Iterator[frozenset[str]]:
    """Names of services that may start together; services that call each other do at last."""
    known = {service.name for service in services}
    waiting = {s.name: set(s.calls) & known - {s.name} for s in services}
    while waiting:
        free = frozenset(name for name, calls in waiting.items() if not calls & set(waiting))
        wave = free or frozenset(waiting)
        yield wave
        waiting = {name: calls for name, calls in waiting.items() if name not in wave}


def _start(world: str, system: System, replica: Replica, logs: Path) -> None:
    service = system.service(replica.service)
    assert service is not None
    log = logs / f"{replica.name}.log"
    try:
        channel.request(world, "start", replica=replica.name)
        why = _wait(world, replica, service.ready)
    except channel.ChannelError as error:
        why = f"cannot be started: {error}"
    if why:
        raise NotReady(f"{replica.name} {why}", where=str(system.path), hint=_last_lines(log))


def _wait(world: str, replica: Replica, ready: str) -> str:
    """Until it answers; why not otherwise."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if is_ready(world, replica, ready):
            return ""
        if channel.request(world, "processes", replica=replica.name).fields["state"] == "ended":
            return "ended while it started"
        time.sleep(_LOOK_S)
    asked = f"GET {ready} " if ready.startswith("/") else ""
    return f"is not ready: {asked}on port {replica.port} was not answered within {READY_S:g} s"


def _last_lines(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        if lines:
            return f"the end of {log}:{os.linesep}" + "\n".join(f"  {line}" for line in lines)
    return f"{log} is empty"
