"""The Kubernetes Substrate: pods as targets, an agent on each of their nodes, load from here."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from harness.agent.effects import (
    Act,
    Edge,
    Effect,
    Link,
    Node,
    Processes,
    Resource,
    Spared,
    Workload,
)
from harness.agent.effects import Pod as PodResource
from harness.capabilities import Edges, HandsError, Links, Nodes, Pods, Signals, Workloads
from harness.errors import NotReady, Refused
from harness.experiment.model import Intervention
from harness.experiment.system_model import Cluster, System
from harness.mechanisms.nfqueue import NfQueue
from harness.mechanisms.pods import MARK
from harness.record.plan import Place
from harness.substrates.kubernetes import topology
from harness.substrates.kubernetes.account import lacks
from harness.substrates.kubernetes.agents import Crew, agents_on, leased, refusal
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.boarding import EPHEMERAL, UNSEEN, cannot
from harness.substrates.kubernetes.connection import Connection, connect
from harness.substrates.kubernetes.consent import Consent, not_here
from harness.substrates.kubernetes.doors import doors
from harness.substrates.kubernetes.hands import ClusterHands
from harness.substrates.kubernetes.leases import Leases
from harness.substrates.kubernetes.load_job import workers_for
from harness.substrates.kubernetes.objects import Pod
from harness.substrates.kubernetes.opening import heeding_the_button
from harness.substrates.kubernetes.platform import MECHANISM, Platform
from harness.substrates.kubernetes.power import Power
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.sightings import sightings
from harness.substrates.kubernetes.sparing import dns_of, spared_at
from harness.substrates.kubernetes.surroundings import look_around
from harness.substrates.kubernetes.topology import Found
from harness.substrates.kubernetes.workloads import SIZED
from harness.substrates.kubernetes.world import ClusterWorld
from harness.substrates.substrate import Needs, Replica, Surroundings, Topology

log = logging.getLogger(__name__)

#: Who watches asks again soon enough.
_WATCH_S = 1.0
#: A run writes to its journal which, before anything is done; `harness doctor` tells it beforehand.
_ON_NODE = "the first of netem, tapnetem, nfqueue that works on its node"
_MECHANISMS = {Link: _ON_NODE, Edge: "proxy", Processes: "signals"}


class KubernetesSubstrate:
    """Asks the cluster once; everything that it says afterwards is of that moment."""

    name = "kubernetes"
    sees_processes = False

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._found: Found | None = None

    @cached_property
    def connection(self) -> Connection:
        return connect(self._cluster.context, self._cluster.kubeconfig)

    @cached_property
    def api(self) -> Api:
        return Api(self.connection.configuration)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.api, self._cluster.namespace)

    def lacks(self, system: System, timeline: tuple[Intervention, ...]) -> str:
        with _told(self.connection):
            return lacks(self.reader.account, self._cluster, system, timeline)

    def refuse(self, system: System) -> str:
        with _told(self.connection):
            return not_here(self._cluster, self.reader)

    def topology(self, system: System) -> Topology:
        if self._found is None:
            with _told(self.connection):
                self._found = topology.find(system, self.reader)
        return self._found.topology

    def caveat(self, system: System) -> str:
        return UNSEEN if self._aboard else ""

    def surroundings(
        self, system: System, nodes: tuple[str, ...], *, outage: bool, anew: bool = False
    ) -> Surroundings:
        self.topology(system)
        assert self._found is not None, "its topology was asked for"
        with _told(self.connection):
            if not anew:
                return look_around(self._found, self.reader, nodes, outage=outage)
            reader = Reader(self.api, self._cluster.namespace, self.reader.nodes)
            return look_around(topology.find(system, reader), reader, nodes, outage=outage)

    def forbids(self, kind: str, replica: Replica, *, named: bool = False) -> str:
        pod = self._pods.get(replica.name)
        if pod is None:
            return ""
        with _told(self.connection):
            consent = Consent(self._cluster, self.reader)
            if why := consent.forbids(kind, pod, named=named):
                return why
            return self._forbids_node(kind, replica.node) if kind.startswith("node.") else ""

    def cannot(self, resource: Resource, does: Effect | Act) -> str:
        if not self._aboard:
            return ""
        labels = self.reader.namespace["metadata"].get("labels") or {}
        return cannot(resource, does, tuple(labels.items()))

    def resources(
        self, capability: type, origins: tuple[Replica, ...], to: tuple[Replica, ...]
    ) -> tuple[Resource, ...]:
        pods = tuple(replica for replica in origins if replica.name in self._pods)
        if capability is Links:
            return tuple(map(self._link, pods))
        if capability is Edges:
            return tuple(edge for pod in pods for edge in self._edges(pod, to))
        if capability is Signals:
            return tuple(map(self._processes, pods))
        return self._platform_resources(capability, pods)

    def mechanism(self, resource: Resource) -> str:
        if self._aboard and isinstance(resource, Link):
            return NfQueue.name  # all others need more than an ephemeral container has
        return _MECHANISMS.get(type(resource), MECHANISM)

    def place(self) -> Place:
        there = replace(
            self._cluster, context=self.connection.context, uid=self.reader.cluster_uid,
            kubeconfig=self.connection.kubeconfig,
        )  # fmt: skip
        return Place(there, self.connection.server)

    @contextlib.contextmanager
    def open(
        self, system: System, directory: Path, lease_s: float, keep: tuple[Path, ...] = (),
        needs: Needs = Needs(),  # noqa: B008  frozen
    ) -> Iterator[ClusterWorld]:  # fmt: skip
        self.topology(system)
        found = self._found
        assert found is not None, "its topology was asked for"
        _check_ready(found.pods.values())
        crew = Crew(
            self.api, self._cluster.agent, needs.run_id, needs.lasts_s, lease_s, directory,
            halted_by=(self._cluster.namespace,), longest_s=needs.longest_s,
        )  # fmt: skip
        nodes = sorted({self._node(r) for r in needs.resources} - {""})
        watching = Api(self.connection.configuration, patience_s=_WATCH_S)
        with (
            heeding_the_button(self.api, self._cluster.namespace) as opened,
            workers_for(self.api, self._cluster.load, needs, directory) as launch,
            agents_on(crew, tuple(nodes)) as staff,
            _told(self.connection),
            sightings(self.api, self.reader.account, self._cluster.namespace, found.workloads,
                      directory),
            leased(crew, tuple(nodes), needs.resources) as leases,
        ):  # fmt: skip
            platform = Platform(self.api, self._cluster, leases)
            _clear(platform, leases)
            hands = ClusterHands(staff, self._node, platform)
            with (
                doors(self.connection, self._cluster.namespace, found, needs, staff.first,
                      directory) as moved,
                contextlib.closing(
                    ClusterWorld(
                        watching, self._cluster, hands, found, needs.resources, leases, launch,
                        moved,
                    )
                ) as world,
            ):  # fmt: skip
                opened()  # the world looks itself
                try:
                    yield world
                finally:
                    self.api.leave()

    def _forbids_node(self, kind: str, name: str) -> str:
        node = self.reader.nodes.get(name)
        if node is not None and node.control_plane:
            return f"node/{name} belongs to the control plane"
        missing = Power(self._cluster.power_off, self._cluster.power_on).missing
        return missing if kind == "node.down" else ""

    # ------------------------------------------------------------ resources of pods

    @property
    def _pods(self) -> dict[str, Pod]:
        return self._found.pods if self._found else {}

    @property
    def _topology(self) -> Topology:
        assert self._found is not None, "asked for resources after its topology"
        return self._found.topology

    @property
    def _aboard(self) -> bool:
        return self._cluster.agent.way == EPHEMERAL

    def _node(self, resource: Resource) -> str:
        """Whose agent acts on it: that of its node, or its own."""
        name = resource.target.partition("->")[0].rpartition("/")[2]
        if name not in self._pods:
            return ""
        return name if self._aboard else self._pods[name].node

    @cached_property
    def _dns(self) -> Spared:
        with _told(self.connection):
            return dns_of(self.reader)

    def _link(self, replica: Replica) -> Link:
        pod = self._pods[replica.name]
        spared = spared_at(pod, self._dns)
        return Link(pod.ref, MARK + pod.uid, "", pod.address, spared=spared)

    def _processes(self, replica: Replica) -> Processes:
        pod = self._pods[replica.name]
        ports = (replica.port,) if replica.port else ()
        return Processes(pod.ref, netns=MARK + pod.uid, ports=ports)

    def _platform_resources(
        self, capability: type, origins: tuple[Replica, ...]
    ) -> tuple[Resource, ...]:
        """Each pod, or each workload or node of theirs once."""
        if capability is Pods:
            pods = (self._pods[origin.name] for origin in origins)
            return tuple(PodResource(pod.ref, pod.uid) for pod in pods)
        if capability is Nodes:
            return tuple(Node(f"node/{name}") for name in dict.fromkeys(o.node for o in origins))
        if capability is not Workloads or self._found is None:
            return ()
        found = {o.service: self._found.workloads[o.service] for o in origins}
        return tuple(
            Workload(f"{ref.replace('/', f'/{self._cluster.namespace}/', 1)}", service)
            for service, ref in found.items()
            if ref.partition("/")[0] in SIZED
        )

    def _edges(self, origin: Replica, to: tuple[Replica, ...]) -> Iterator[Edge]:
        """What callers dial: the Service where there is one, else the pods themselves."""
        pod = self._pods[origin.name]
        for service in dict.fromkeys(replica.service for replica in to):
            there = [replica for replica in to if replica.service == service]
            fronts = [f for f in self._topology.fronts if f.service == service]
            port = fronts[0].port if fronts else there[0].port
            dialled = [f.address for f in fronts if f.port == port]
            dialled += [r.address for r in there if r.port == port]
            yield Edge(f"{pod.ref}->{service}", MARK + pod.uid, tuple(dialled), port)


def _clear(platform: Platform, leases: Leases) -> None:
    """What dead runs held here is as before, or a snapshot would make it the normal state."""
    for was in leases.held_over():
        try:
            for done in platform.restore(was):
                log.warning("a run that ended without its harness: %s", done)
            leases.forget(was.resource)
        except HandsError as error:
            said = f"a dead run left something on {was.resource.target}: {error}"
            raise Refused(said, hint="harness recover --expired --system FILE") from None


def _check_ready(pods: Iterable[Pod]) -> None:
    down = [pod for pod in pods if not pod.ready]
    if down:
        said = "; ".join(f"{p.name} ({p.waiting or p.phase or 'unknown'})" for p in down[:5])
        hint = "a run that begins in trouble cannot know what its fault did"
        raise NotReady(f"{len(down)} pods of the system are not ready: {said}", hint=hint)


@contextlib.contextmanager
def _told(connection: Connection) -> Iterator[None]:
    """What the API refuses, in words, with the place that was asked."""
    try:
        yield
    except ApiError as error:
        raise refusal(error, f"the cluster cannot be read ({connection})") from None
