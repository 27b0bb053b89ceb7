"""Replicas as the world keeps them: restarted on request, and asked whether they answer.

`WorldHands` is what the run holds: resources of kind Unit are the supervisor's business, all others
the agent's.
"""

from __future__ import annotations

import time

from harness.agent.effects import (
    Act,
    Effect,
    Exercised,
    InForce,
    Process,
    ProcessesSeen,
    Resource,
    Restart,
    Seen,
    Snapshot,
    Unit,
    decode,
)
from harness.capabilities import Hands, HandsError
from harness.experiment.system_model import System
from harness.substrates.local import channel
from harness.substrates.local.readiness import is_ready
from harness.substrates.substrate import Replica, Topology

_LOOK_S = 0.1
_MARGIN_S = 15.0
MECHANISM = "supervisor"


class LocalUnits:
    """Restart and measure, over the world's channel."""

    def __init__(self, world: str, system: System, topology: Topology) -> None:
        self._world = world
        self._replicas = {replica.name: replica for replica in topology.replicas}
        self._ready = {service.name: service.ready for service in system.services}
        self._gone: dict[str, tuple[Process, ...]] = {}
        self._callers: dict[str, int] = {}

    def act(self, resource: Unit, act: Act, effect_id: str) -> Seen:
        if not isinstance(act, Restart):
            raise HandsError(f"a replica cannot be asked for {type(act).__name__}")
        begin = time.monotonic()
        answer = self._restart(self._replica(resource.target), act.grace)
        self._gone[resource.target] = decode(answer.fields["gone"])
        self._callers[effect_id] = answer.fields["callers"]
        alive = decode(answer.fields["alive"])
        gone = _missing(self._gone[resource.target], alive)
        return ProcessesSeen(begin, time.monotonic(), alive, gone, ready=False)

    def measure(self, resource: Unit, for_s: float) -> Seen:
        """Its processes now, and whether it answered at the end of the interval or before."""
        begin = time.monotonic()
        alive, ready = self._look(resource.target)
        while not ready and time.monotonic() < begin + for_s:
            time.sleep(_LOOK_S)
            alive, ready = self._look(resource.target)
        gone = _missing(self._gone.get(resource.target, ()), alive)
        return ProcessesSeen(begin, time.monotonic(), alive, gone, ready)

    def exercised(self, effect_id: str) -> Exercised:
        """A restart meets those who have connections to the replica."""
        return Exercised(self._callers.get(effect_id, 0), "connections")

    def _restart(self, replica: Replica, grace_s: float) -> channel.Message:
        try:
            return channel.request(
                self._world, "restart", timeout_s=grace_s + _MARGIN_S,
                replica=replica.name, port=replica.port, grace=grace_s,
            )  # fmt: skip
        except channel.ChannelError as error:
            raise HandsError(str(error), lost=error.lost) from None

    def _look(self, name: str) -> tuple[tuple[Process, ...], bool]:
        replica = self._replica(name)
        try:
            answer = channel.request(self._world, "processes", replica=name)
            alive: tuple[Process, ...] = decode(answer.fields["alive"])
            return alive, bool(alive) and is_ready(
                self._world, replica, self._ready[replica.service]
            )
        except channel.ChannelError as error:
            raise HandsError(str(error), lost=error.lost) from None

    def _replica(self, name: str) -> Replica:
        if name not in self._replicas:
            raise HandsError(f"no replica {name}", target_gone=True)
        return self._replicas[name]


def _missing(known: tuple[Process, ...], alive: tuple[Process, ...]) -> tuple[Process, ...]:
    there = {(process.pid, process.start) for process in alive}
    return tuple(process for process in known if (process.pid, process.start) not in there)


class WorldHands:
    """Implements `capabilities.Hands` by asking the supervisor or the agent."""

    def __init__(self, units: LocalUnits, agent: Hands) -> None:
        self._units = units
        self._agent = agent

    def mechanism(self, resource: Resource, effects: tuple[Effect, ...] = ()) -> str:
        if isinstance(resource, Unit):
            return MECHANISM
        return self._agent.mechanism(resource, effects)

    def snapshot(self, resource: Resource) -> Snapshot:
        return Snapshot(MECHANISM) if isinstance(resource, Unit) else self._agent.snapshot(resource)

    def make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: tuple[InForce, ...],
    ) -> None:  # fmt: skip
        if not isinstance(resource, Unit):
            self._agent.make(resource, receipt, generation, snapshot, effects)
        elif effects:
            raise HandsError("no condition can be held on a replica as a whole")

    def act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        if isinstance(resource, Unit):
            return self._units.act(resource, act, effect_id)
        return self._agent.act(resource, receipt, act, effect_id)

    def measure(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> Seen:
        if isinstance(resource, Unit):
            return self._units.measure(resource, for_s)
        return self._agent.measure(resource, effect, for_s)

    def exercised(self, resource: Resource, effect_id: str) -> Exercised:
        if isinstance(resource, Unit):
            return self._units.exercised(effect_id)
        return self._agent.exercised(resource, effect_id)

    def renew(self) -> None:
        self._agent.renew()
