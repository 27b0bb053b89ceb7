"""What is done through the API server: to pods, workloads and nodes, for one namespace's system.

Everything held here outlives the harness, so its receipts are what `harness recover` takes back by:
those in the journal or, where that is lost, those on the run's Leases; only power is given back by
a process of its own (`switch`). A value that somebody else has changed meanwhile is left alone, and
told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from harness.agent.effects import (
    Act,
    Cordoned,
    DeletePod,
    Exercised,
    Image,
    InForce,
    KillContainer,
    Node,
    PlatformSeen,
    Pod,
    PoweredOff,
    Replicas,
    Resource,
    Snapshot,
    Workload,
)
from harness.capabilities import HandsError
from harness.experiment.system_model import Cluster
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.leases import Leases, Was
from harness.substrates.kubernetes.nodes import Nodes
from harness.substrates.kubernetes.pods import Pods
from harness.substrates.kubernetes.power import Power
from harness.substrates.kubernetes.workloads import Workloads

MECHANISM = "API server"
_LOOK_S = 0.1
#: So long controllers may take, which may have just been started again themselves.
_FOLLOW_S = 15.0
#: Why it is not known how much traffic met an effect.
_NO_AGENT = "no agent is beside its pods to hear who calls them"
_NO_TRAFFIC = "a cordon turns pods away that are to come, and no traffic"
_NEVER_RUN = "nobody calls pods that never run"


class Platform:
    """May be used from any thread; one change at a time for each resource."""

    def __init__(self, api: Api, cluster: Cluster, leases: Leases | None = None) -> None:
        """`leases` of the run keep receipts in the cluster, too."""
        power = Power(cluster.power_off, cluster.power_on, cluster.power_at)
        self.leave = api.leave
        self.pods = Pods(api, cluster.namespace)
        self._workloads = Workloads(api, self.pods, leases)
        self._nodes = Nodes(api, self.pods, power, leases)
        self._met: dict[str, Exercised] = {}

    @staticmethod
    def takes(resource: Resource) -> bool:
        return isinstance(resource, (Pod, Workload, Node))

    def snapshot(self, resource: Resource) -> Snapshot:
        with _told(resource):
            if isinstance(resource, Workload):
                return Snapshot(MECHANISM, self._workloads.settings(resource))
            if isinstance(resource, Node):
                return Snapshot(MECHANISM, self._nodes.settings(resource))
            return Snapshot(MECHANISM)

    def make(self, resource: Resource, snapshot: Snapshot, effects: tuple[InForce, ...]) -> None:
        """The last of overlapping effects of one kind counts."""
        with _told(resource):
            if isinstance(resource, Workload):
                self._workloads.make(resource, snapshot.settings, _last(effects, Replicas, Image))
            elif isinstance(resource, Node):
                self._nodes.make(resource, snapshot.settings, _last(effects, Cordoned, PoweredOff))
            elif effects:
                raise HandsError("nothing can be held on a pod by its API server")
            for effect in effects:
                if effect.id not in self._met:
                    self._met[effect.id] = self._meets(resource, snapshot, effect.effect)

    def restore(self, was: Was) -> tuple[str, ...]:
        """By a receipt alone: what was done, in words."""
        with _told(was.resource):
            if isinstance(was.resource, Workload):
                return self._workloads.restore(was.resource, was)
            return self._nodes.restore(was.resource, was)

    def act(self, resource: Pod, act: Act, effect_id: str) -> PlatformSeen:
        if not isinstance(act, DeletePod):
            raise HandsError(f"the API server cannot {type(act).__name__}")
        begin = time.monotonic()
        with _told(resource):
            self.pods.delete(resource, act.grace)
        return PlatformSeen(begin, time.monotonic())

    def measure(self, resource: Resource, effect: Any, for_s: float) -> PlatformSeen:
        """What is there at the end of that time, or as soon as it is as the effect wants it. Where
        a workload is not any more as the effect wants it, its pods are given time to follow."""
        begin = time.monotonic()
        with _told(resource):
            over = isinstance(resource, Workload) and self._workloads.is_over(resource, effect)
            until = begin + (max(for_s, _FOLLOW_S) if over else for_s)
            while True:
                seen = self._look(resource, effect, begin)
                there = _is_over(seen, effect) if over else _is_true(seen, resource, effect)
                if there or time.monotonic() >= until:
                    return seen
                time.sleep(_LOOK_S)

    def exercised(self, effect_id: str) -> Exercised:
        return self._met.get(effect_id, Exercised(0, "pods"))

    def _look(self, resource: Resource, effect: Any, begin: float) -> PlatformSeen:
        if isinstance(resource, Workload):
            container = effect.container if isinstance(effect, Image) else ""
            pods, replicas = self._workloads.look(resource, container)
            return PlatformSeen(begin, time.monotonic(), pods, replicas)
        if isinstance(resource, Node):
            pods, cordoned, answers = self._nodes.look(resource)
            return PlatformSeen(begin, time.monotonic(), pods, cordoned=cordoned, answers=answers)
        assert isinstance(resource, Pod), "the platform has three kinds of resources"
        container = effect.container if isinstance(effect, KillContainer) else ""
        found = self.pods.find(resource, container)
        return PlatformSeen(begin, time.monotonic(), (found,) if found else ())

    def _meets(self, resource: Resource, snapshot: Snapshot, effect: Any) -> Exercised:
        """How many of the system's pods it is about; no API server sees traffic."""
        if isinstance(effect, Replicas):
            more = effect.count - int(snapshot.settings["replicas"])
            unit = "pods more" if more > 0 else "pods fewer"
            return Exercised(abs(more), unit, _NO_AGENT)
        if isinstance(resource, Node):
            why = _NO_TRAFFIC if effect == Cordoned() else _NO_AGENT
            return Exercised(self._nodes.inhabitants(resource), "pods on it", why)
        assert isinstance(resource, Workload), "the rest is about workloads"
        return Exercised(self._workloads.look(resource, "")[1], "pods to be replaced", _NEVER_RUN)


def _last(effects: tuple[InForce, ...], *kinds: type) -> dict[type, Any]:
    return {type(e.effect): e.effect for e in effects if isinstance(e.effect, kinds)}


def _is_true(seen: PlatformSeen, resource: Resource, effect: Any) -> bool:
    """There is nothing more to wait for."""
    staying = [pod for pod in seen.pods if not pod.leaving]
    checks: dict[type, Callable[[], bool]] = {
        DeletePod: lambda: not staying,
        Replicas: lambda: sum(pod.ready for pod in staying) == effect.count == len(staying),
        Image: lambda: any(pod.image == effect.image and pod.waiting for pod in staying),
        Cordoned: lambda: seen.cordoned and not (effect.drained and staying),
        PoweredOff: lambda: not seen.answers,
    }
    return type(effect) in checks and checks[type(effect)]()


def _is_over(seen: PlatformSeen, effect: Replicas | Image) -> bool:
    staying = [pod for pod in seen.pods if not pod.leaving]
    if isinstance(effect, Replicas):
        return len(staying) == seen.replicas
    return not any(pod.image == effect.image for pod in staying)


class _told:  # noqa: N801  reads as a word
    """What the API refuses, as hands say it."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ApiError):
            gone = error.status == 404
            raise HandsError(f"{self._resource.target}: {error.told}", target_gone=gone) from None
