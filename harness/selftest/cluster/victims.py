"""Whom only a cluster has: agents in pods, pods, and, where it is one of ours, its own services."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass

from harness.errors import HarnessError, Refused
from harness.selftest.cluster.objects import Slot
from harness.selftest.cluster.sight import Sight
from harness.selftest.cluster.switches import Switches
from harness.selftest.family import Family
from harness.selftest.ground import Victim
from harness.selftest.victims import VICTIMS
from harness.substrates.kubernetes.api import Json

#: Of those on this machine.
_HERE = ("harness", "group", "Ctrl-C twice", "SIGTERM", "harness stopped")
CONTROL_PLANE = "cp"
API_SERVER = "API server"
SWITCHED = ("agent's shim", "kubelet", "containerd", "cable", "node", API_SERVER)


@dataclass(frozen=True)
class Struck:
    """`there` finds whom `hit` hits; with `relief` it stays until then."""

    name: str
    there: Callable[[], Sized]
    hit: Callable[[], int]
    relief: Callable[[], None] | None = None

    @property
    def stays(self) -> bool:
        return self.relief is not None

    def choose(self, family: Family, harness: int) -> Sized:
        return self.there()

    def strike(self, family: Family, harness: int) -> int:
        return self.hit()

    def relieve(self, family: Family, harness: int) -> None:
        """The run may have done so itself: it switches on a node that was on."""
        if self.relief:
            with contextlib.suppress(HarnessError):
                self.relief()


def victims_at(sight: Sight, app: str, switches: Switches | None) -> dict[str, Victim]:
    """By name; `app` is what the pods are called that the fault acts on."""
    found: list[Victim] = [*(VICTIMS[name] for name in _HERE), *_agents(sight)]
    found += _pods(sight, app)
    if switches:
        found += [_shim(sight), *_switched(switches, sight.seen.slot)]
    return {victim.name: victim for victim in found}


def _agents(sight: Sight) -> Iterator[Struck]:
    def reapers() -> list[Json]:
        return sight.agents()[0]

    def agents() -> list[Json]:
        return sight.agents()[1]

    def both() -> list[Json]:
        return [process for half in sight.agents() for process in half]

    def killed() -> int:
        there = both()
        _signalled(sight, there, signal.SIGSTOP)
        return _signalled(sight, there)

    yield Struck("agent", agents, lambda: _signalled(sight, agents()))
    yield Struck("reaper", reapers, lambda: _signalled(sight, reapers()))
    yield Struck("agent and reaper", both, killed)


def _shim(sight: Sight) -> Struck:
    """What containerd has beside each pod: the parent of all that is executed there."""

    def shims() -> list[int]:
        return [reaper["parent"] for reaper in sight.agents()[0]]

    return Struck("agent's shim", shims, lambda: sight.eyes.kill(shims(), signal.SIGKILL))


def _pods(sight: Sight, app: str) -> Iterator[Struck]:
    def agents() -> list[Json]:
        return sight.seen.agents_of(sight.run_id) if sight.run_id else []

    def targets() -> list[Json]:
        return sight.seen.pods(app)

    yield Struck("agent's pod", agents, lambda: _deleted(sight, agents()))
    yield Struck("target pod", targets, lambda: _deleted(sight, targets()))


def _switched(switches: Switches, slot: Slot) -> Iterator[Struck]:
    """For as long as they are down. The API server is everybody's."""

    def switch(name: str, off: tuple[str, ...], on: tuple[str, ...]) -> Struck:
        def down() -> int:
            try:
                switches(*off)
            except Refused:  # a node that the fault itself has switched off: it is missed
                return 0
            return 1

        return Struck(name, lambda: (name,), down, lambda: switches(*on))

    for service in ("kubelet", "containerd"):
        words = (slot.node, service)
        yield switch(service, ("stop", *words), ("start", *words))
    yield switch("cable", ("cable", slot.node, "down"), ("cable", slot.node, "up"))
    yield switch("node", ("poweroff", slot.node), ("poweron", slot.node))
    server = (CONTROL_PLANE, "kube-apiserver")
    yield switch(API_SERVER, ("stop", *server), ("start", *server))


def _signalled(sight: Sight, there: list[Json], number: int = signal.SIGKILL) -> int:
    return sight.eyes.kill([p["pid"] for p in there], number)


def _deleted(sight: Sight, pods: list[Json]) -> int:
    """At once, as by `--force`."""
    for pod in pods:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        sight.seen.api.delete(path, gracePeriodSeconds=0)
    return len(pods)
