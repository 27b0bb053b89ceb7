"""The scratch namespaces of a selftest on a cluster: one on each node, made and removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import NotReady, Refused
from harness.experiment.system_model import Cluster
from harness.faults import registry
from harness.selftest.cluster import objects
from harness.selftest.cluster.experiment import acted_on, by_agents, files
from harness.selftest.cluster.eyes import TOOLS, Eyes, in_node, in_pod
from harness.selftest.cluster.health import begin_anew, heal, revive
from harness.selftest.cluster.objects import Slot
from harness.selftest.cluster.place import ClusterPlace
from harness.selftest.cluster.seen import Seen
from harness.selftest.cluster.sight import Sight
from harness.selftest.cluster.switches import NO_SWITCHES, switches_of
from harness.selftest.cluster.victims import API_SERVER, SWITCHED, victims_at
from harness.selftest.results import Cell
from harness.substrates.kubernetes import manifest
from harness.substrates.kubernetes.agents import hopeless, refusal
from harness.substrates.kubernetes.api import PATIENCE_S, Api, ApiError
from harness.substrates.kubernetes.connection import connect
from harness.substrates.kubernetes.objects import node_of, pod_of

#: Three renewals in its life, each of which may take a busy API server half a second.
LEASE_S = 3.0
_BEYOND_S = 5.0
_READY_S, _GONE_S = 90.0, 90.0
_AGAIN_S = 0.3
#: Who watches asks again soon enough.
_PATIENCE_S = 1.0


@dataclass(frozen=True)
class OnCluster:
    """`cluster` is where agents live, its namespace nowhere; `home` has the locks of `slots`."""

    cluster: Cluster
    image: str
    slots: tuple[Slot, ...]
    home: Path
    tools: tuple[str, ...] = ()
    lease_s: float = LEASE_S
    deadline_s: float = LEASE_S + _BEYOND_S
    quick: int = 1
    substrates: tuple[str, ...] = ("kubernetes",)
    alone: tuple[str, ...] = (API_SERVER,)

    @property
    def notes(self) -> tuple[str, ...]:
        ours = bool(switches_of(self.cluster))
        without = () if ours else (f"not offered: {', '.join(SWITCHED)}: {NO_SWITCHES}",)
        seen = ("/proc", *self.tools)
        unseen = tuple(tool for tool in TOOLS if tool not in seen)
        with_ = f"nodes are looked at with {', '.join(seen)}"
        return (*without, with_ + (f", not with {', '.join(unseen)}" if unseen else ""))

    @property
    def at_once(self) -> int:
        return len(self.slots)

    def why_not(self, cell: Cell) -> str:
        return ""

    @contextlib.contextmanager
    def place(self, cell: Cell, path: Path) -> Iterator[ClusterPlace]:
        fault = registry.find(cell.fault)
        assert fault, "chosen from the registry"
        with _held(self.home / "API server", alone=cell.victim in self.alone), self._slot() as slot:
            api = _api(self.cluster, _PATIENCE_S)
            seen = Seen(api, slot, self.cluster.agent.namespace)
            switches = switches_of(self.cluster)
            with _told(), contextlib.closing(self.eyes(api, slot)) as eyes:
                if cell.victim == API_SERVER:
                    begin_anew(seen, switches)
                heal(seen, eyes, objects.deployments(slot, self.image), switches)
                sight = Sight(seen, eyes, darkens=fault.kind == "node.down")
                sight.begin()
                files(path, fault, seen, anybody=switches is not None)
                yield ClusterPlace(
                    path, replace(self.cluster, namespace=slot.namespace), sight,
                    3 * self.deadline_s if by_agents(fault) else 1.0,
                    victims_at(sight, acted_on(fault), switches),
                )  # fmt: skip

    @contextlib.contextmanager
    def _slot(self) -> Iterator[Slot]:
        """One that nobody else shoots at; there are as many as there are shots at once."""
        while True:
            for slot in self.slots:
                with (
                    contextlib.suppress(BlockingIOError),
                    _held(self.home / slot.namespace, alone=True, wait=False),
                ):
                    yield slot
                    return
            time.sleep(_AGAIN_S)

    def eyes(self, api: Api, slot: Slot) -> Eyes:
        if switches := switches_of(self.cluster):
            return Eyes(in_node(switches, slot.node))
        agents = self.cluster.agent.namespace
        pod = objects.looker(slot, agents, self.image)["metadata"]["name"]
        return Eyes(in_pod(api, agents, pod, self.home / f"{pod}.log"))


@contextlib.contextmanager
def on_cluster(
    cluster: Cluster, image: str, home: Path, at_once: int | None
) -> Iterator[OnCluster]:
    """`cluster.namespace` begins the names of those that are made; the image of their pods has
    Python. Raises `Refused`, `NotReady`."""
    api = _api(cluster)
    with _told():
        slots = _slots(api, cluster.namespace, at_once)
        ground = OnCluster(cluster, image, slots, home)
        _check_nobodys(api, slots)
        try:
            _make(api, ground)
            yield replace(ground, tools=_tools(api, ground))
        finally:
            _remove(api, ground)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What the API server answers, as an error for people."""
    try:
        yield
    except ApiError as error:
        raise refusal(error, "a selftest on this cluster") from None


def _api(cluster: Cluster, patience_s: float = PATIENCE_S) -> Api:
    return Api(connect(cluster.context, cluster.kubeconfig).configuration, patience_s)


def _slots(api: Api, name: str, at_once: int | None) -> tuple[Slot, ...]:
    """On nodes that take pods."""
    items = list(api.items("/api/v1/nodes"))
    fit = [item for item in items if (n := node_of(item)).ready and not n.control_plane
           and not n.cordoned]  # fmt: skip
    if not fit:
        raise Refused("no node of this cluster takes pods")
    names = [(item["metadata"]["name"], item["metadata"]["labels"]) for item in fit]
    return tuple(
        Slot(f"{name}-{number}", node, labels.get("kubernetes.io/hostname", node))
        for number, (node, labels) in enumerate(names[:at_once], 1)
    )


def _check_nobodys(api: Api, slots: tuple[Slot, ...]) -> None:
    for slot in slots:
        found = api.find(slot.path)
        labels = (found or {"metadata": {}})["metadata"].get("labels") or {}
        if found and labels.get(manifest.LABEL) != objects.NAME:
            raise Refused(f"there is a namespace {slot.namespace} already",
                          hint="--namespace gives others a name")  # fmt: skip


def _make(api: Api, ground: OnCluster) -> None:
    _remove(api, ground)  # of a selftest that was killed
    agents = ground.cluster.agent
    api.ensure("/api/v1/namespaces", manifest.namespace(agents))
    for slot in ground.slots:
        api.create("/api/v1/namespaces", objects.namespace(slot))
        api.create(f"{slot.path}/services", objects.service(slot))
        for body in objects.deployments(slot, ground.image):
            api.create(slot.deployments, body)
        if not switches_of(ground.cluster):
            path = f"/api/v1/namespaces/{agents.namespace}/pods"
            api.create(path, objects.looker(slot, agents.namespace, ground.image))


def _tools(api: Api, ground: OnCluster) -> tuple[str, ...]:
    """What a looker has. Raises `NotReady` where none can be had."""
    for slot in ground.slots:
        if not switches_of(ground.cluster):
            _await_looker(api, ground, slot)
        with contextlib.closing(ground.eyes(api, slot)) as eyes:
            if eyes.look((), ()) is None:
                raise NotReady(f"nobody can look at node {slot.node}")
            found = eyes.tools
    return found


def _await_looker(api: Api, ground: OnCluster, slot: Slot) -> None:
    agents = ground.cluster.agent.namespace
    name = objects.looker(slot, agents, "")["metadata"]["name"]
    until = time.monotonic() + _READY_S
    while not (pod := pod_of(api.get(f"/api/v1/namespaces/{agents}/pods/{name}"))).ready:
        if (why := hopeless(pod)) or time.monotonic() > until:
            raise NotReady(f"who looks at node {slot.node} does not start: {why or pod.phase}",
                           hint="--image names one that has Python")  # fmt: skip
        time.sleep(_AGAIN_S)


def _remove(api: Api, ground: OnCluster) -> None:
    """Waits until they are gone."""
    agents = f"/api/v1/namespaces/{ground.cluster.agent.namespace}/pods"
    for slot in ground.slots:
        revive(Seen(api, slot, ""), switches_of(ground.cluster))
        name = objects.looker(slot, "", "")["metadata"]["name"]
        api.delete(f"{agents}/{name}", gracePeriodSeconds=0)
        api.delete(slot.path)
    until = time.monotonic() + _GONE_S
    while there := [slot.namespace for slot in ground.slots if api.find(slot.path)]:
        if time.monotonic() > until:
            raise NotReady(f"the namespace {there[0]} does not go away")
        time.sleep(_AGAIN_S)


@contextlib.contextmanager
def _held(path: Path, *, alone: bool, wait: bool = True) -> Iterator[None]:
    """Raises `BlockingIOError` where somebody has it and is not waited for."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        fcntl.flock(fd, how if wait else how | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)
