"""What is there: the pods of a workload, nodes, services, each asked of the API once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from harness.errors import Refused
from harness.substrates.kubernetes.account import Account
from harness.substrates.kubernetes.api import Api, Json
from harness.substrates.kubernetes.ingresses import Door, doors_to
from harness.substrates.kubernetes.objects import (
    Node,
    Pod,
    Service,
    ServicePort,
    host_of,
    node_of,
    pod_of,
    selector_text,
    selects,
    service_of,
)

_SYSTEM = "kube-system"
_APPS = ("deployment", "statefulset", "daemonset", "replicaset")
_OTHERS = {"pod": "api/v1", "service": "api/v1"}


class Reader:
    """One look at a namespace: everything it says is of about the same time."""

    def __init__(self, api: Api, namespace: str, nodes: dict[str, Node] | None = None) -> None:
        self.name = namespace
        self.account = Account(api)
        self.api = self._api = api
        self._namespace = namespace
        self._core = f"/api/v1/namespaces/{namespace}"
        self._workloads: dict[str, Json] = {}
        self._owners: dict[str, set[str]] = {}  # uids of a workload and of its replica sets
        if nodes is not None:  # known already: they do not move from zone to zone
            self.nodes = nodes

    @cached_property
    def namespace(self) -> Json:
        found = self._api.find(self._core)
        if found is None:
            raise Refused(f"the cluster has no namespace {self._namespace!r}",
                          hint="kubectl get namespaces; the System file names it")  # fmt: skip
        return found

    @cached_property
    def cluster_uid(self) -> str:
        """The uid of kube-system: the cluster's own identity; empty where it may not be read."""
        if not self.account.may("get", "", "namespaces", _SYSTEM, _SYSTEM):
            return ""
        found = self._api.find(f"/api/v1/namespaces/{_SYSTEM}")
        return str(found["metadata"]["uid"]) if found else ""

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Where they may not be read, what pods say of theirs: an address, and no zone."""
        if self.account.may("list", "", "nodes"):
            return {n.name: n for n in map(node_of, self._api.items("/api/v1/nodes"))}
        hosts = map(host_of, self._api.items(f"{self._core}/pods"))
        return {node.name: node for node in hosts if node.name}

    def system(self, group: str, resource: str, labels: str) -> tuple[Json, ...]:
        """Those of kube-system with these labels; none where they may not be read."""
        if not self.account.may("list", group, resource, _SYSTEM):
            return ()
        root = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{root}/namespaces/{_SYSTEM}/{resource}"
        return tuple(self._api.items(path, labelSelector=labels))

    @cached_property
    def services(self) -> tuple[Service, ...]:
        return tuple(map(service_of, self._api.items(f"{self._core}/services")))

    def ingress_to(self, service: str, port: ServicePort) -> Iterator[Door]:
        """Rules of the namespace's Ingresses that lead to that port of it."""
        return (door for item in self._ingresses for door in doors_to(service, port, item))

    @cached_property
    def _ingresses(self) -> tuple[Json, ...]:
        """None where they may not be read."""
        path = f"/apis/networking.k8s.io/v1/namespaces/{self._namespace}/ingresses"
        if not self.account.may("list", "networking.k8s.io", "ingresses", self._namespace):
            return ()
        return tuple(self._api.items(path))

    def labelled(self, labels: str) -> tuple[Pod, ...]:
        """Pods that run or come up, by name. An empty selector selects nothing."""
        if not labels:
            return ()
        found = map(pod_of, self._api.items(f"{self._core}/pods", labelSelector=labels))
        return tuple(sorted((p for p in found if not p.ended), key=lambda p: p.name))

    def pods_of(self, reference: str) -> tuple[Pod, ...]:
        """Those of `deployment/web`, `service/web`, `pod/web-0`: its own, by ownership and not by
        labels alone. Raises `Refused` when there is no such workload."""
        kind = reference.partition("/")[0]
        workload = self.workload(reference)
        if kind == "pod":
            return (pod_of(workload),)
        if kind == "service":
            selector = workload["spec"].get("selector") or {}
            return self.labelled(selector_text({"matchLabels": selector}))
        labels = selector_text(workload["spec"]["selector"])
        owners = self._owners.setdefault(reference, {workload["metadata"]["uid"]})
        found = self.labelled(labels)
        if kind == "deployment" and any(pod.owner_uid not in owners for pod in found):
            owners |= self._sets_of(workload["metadata"]["uid"], labels)
        return tuple(pod for pod in found if pod.owner_uid in owners)

    def services_of(self, pods: tuple[Pod, ...]) -> tuple[Service, ...]:
        return tuple(s for s in self.services if any(selects(s.selector, p.labels) for p in pods))

    def workload(self, reference: str) -> Json:
        """The object itself, as `pods_of` read it."""
        if reference not in self._workloads:
            kind, _, name = reference.partition("/")
            group = "apis/apps/v1" if kind in _APPS else _OTHERS.get(kind, "apis/batch/v1")
            path = f"/{group}/namespaces/{self._namespace}/{kind}s/{name}"
            self._workloads[reference] = self._object(reference, path)
        return self._workloads[reference]

    def on_node(self, node: str) -> Iterator[Pod]:
        """Everybody's pods there."""
        return map(pod_of, self._api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}"))

    def budgets(self, namespace: str) -> tuple[Json, ...]:
        """The disruption budgets there."""
        path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
        return tuple(self._api.items(path))

    def _sets_of(self, uid: str, labels: str) -> set[str]:
        path = f"/apis/apps/v1/namespaces/{self._namespace}/replicasets"
        sets = self._api.items(path, labelSelector=labels)
        return {
            item["metadata"]["uid"]
            for item in sets
            if any(owner["uid"] == uid for owner in item["metadata"].get("ownerReferences", ()))
        }

    def _object(self, reference: str, path: str) -> Json:
        found = self._api.find(path)
        if found is None:
            kind = reference.partition("/")[0]
            raise Refused(f"namespace {self._namespace} has no {reference}",
                          hint=f"kubectl -n {self._namespace} get {kind}")  # fmt: skip
        return found
