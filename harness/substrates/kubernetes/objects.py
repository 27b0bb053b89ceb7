"""What the API says, as frozen values: only what a decision is made by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
_MIRROR = "kubernetes.io/config.mirror"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@dataclass(frozen=True)
class Pod:
    """`owner` is its controller, `kind/name`; `ports` are declared by its containers, by name;
    `runtime` is containerd, cri-o …; `host` is its node's address; `probed` are the ports that its
    kubelet asks."""

    name: str
    namespace: str
    uid: str
    node: str
    address: str
    created: str
    phase: str
    ready: bool
    leaving: bool
    host_network: bool
    static: bool
    owner: str
    owner_uid: str
    labels: Pairs
    annotations: Pairs
    ports: tuple[tuple[str, int], ...]
    restarts: int
    waiting: str
    runtime: str = ""
    host: str = ""
    probed: tuple[int, ...] = ()

    @property
    def ref(self) -> str:
        return f"pod/{self.namespace}/{self.name}"

    @property
    def ended(self) -> bool:
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True)
class Node:
    name: str
    zone: str
    address: str
    ready: bool
    cordoned: bool
    control_plane: bool
    labels: Pairs
    region: str = ""


@dataclass(frozen=True)
class ServicePort:
    """`target` is a container's port, by number or name."""

    port: int
    target: str
    node_port: int
    name: str = ""


@dataclass(frozen=True)
class Service:
    """`selector` empty: it selects nothing by itself."""

    name: str
    selector: Pairs
    ports: tuple[ServicePort, ...]
    address: str
    balancer: str


def pod_of(item: Json) -> Pod:
    meta, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    owner: Json = next((o for o in meta.get("ownerReferences", ()) if o.get("controller")), {})
    containers = status.get("containerStatuses") or ()
    return Pod(
        name=meta["name"], namespace=meta["namespace"], uid=meta["uid"],
        node=spec.get("nodeName", ""), address=status.get("podIP", ""),
        created=meta.get("creationTimestamp", ""), phase=status.get("phase", ""),
        ready=_condition(status, "Ready"), leaving="deletionTimestamp" in meta,
        host_network=bool(spec.get("hostNetwork")), static=_MIRROR in meta.get("annotations", {}),
        owner=f"{owner['kind'].lower()}/{owner['name']}" if owner else "",
        owner_uid=owner.get("uid", ""), labels=_pairs(meta, "labels"),
        annotations=_pairs(meta, "annotations"), ports=tuple(_ports(spec)),
        restarts=sum(c.get("restartCount", 0) for c in containers),
        runtime=next((c.get("containerID", "").partition("://")[0] for c in containers), ""),
        waiting="; ".join(filter(None, (*map(_waiting, containers), _failed(status)))),
        host=status.get("hostIP", ""), probed=tuple(sorted(set(_probed(spec)))),
    )  # fmt: skip


def node_of(item: Json) -> Node:
    meta, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    labels = dict(_pairs(meta, "labels"))
    addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses") or ())}
    return Node(
        name=meta["name"], zone=labels.get(ZONE, ""),
        address=addresses.get("InternalIP", addresses.get("ExternalIP", "")),
        ready=_condition(status, "Ready"), cordoned=bool(spec.get("unschedulable")),
        control_plane=any(name in labels for name in _CONTROL_PLANE),
        labels=_pairs(meta, "labels"), region=labels.get(REGION, ""),
    )  # fmt: skip


def host_of(pod: Json) -> Node:
    """A node, as far as one of its pods knows it."""
    name, address = pod.get("spec", {}).get("nodeName", ""), pod.get("status", {}).get("hostIP", "")
    return Node(
        name, "", address, ready=bool(address), cordoned=False, control_plane=False, labels=()
    )


def service_of(item: Json) -> Service:
    spec, status = item.get("spec", {}), item.get("status", {})
    ingress: Json = next(iter(status.get("loadBalancer", {}).get("ingress") or ()), {})
    return Service(
        name=item["metadata"]["name"], selector=_pairs(spec, "selector"),
        ports=tuple(
            ServicePort(
                p["port"], str(p.get("targetPort", p["port"])), p.get("nodePort", 0),
                p.get("name", ""),
            )
            for p in spec.get("ports") or ()
        ),
        address=spec.get("clusterIP", "").replace("None", ""),
        balancer=ingress.get("ip") or ingress.get("hostname") or "",
    )  # fmt: skip


def selector_text(selector: Json) -> str:
    """A LabelSelector as `labelSelector` takes it. Empty selects nothing we would touch."""
    parts = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
    words = {"In": "in", "NotIn": "notin"}
    for rule in selector.get("matchExpressions", ()):
        key, how = rule["key"], rule["operator"]
        if how in words:
            parts.append(f"{key} {words[how]} ({','.join(rule['values'])})")
        else:
            parts.append(key if how == "Exists" else f"!{key}")
    return ",".join(parts)


def selects(selector: Pairs, labels: Pairs) -> bool:
    return bool(selector) and set(selector) <= set(labels)


def _condition(status: Json, name: str) -> bool:
    found = (c["status"] for c in status.get("conditions") or () if c["type"] == name)
    return next(found, "") == "True"


def _ports(spec: Json) -> list[tuple[str, int]]:
    containers = spec.get("containers") or ()
    return [(p.get("name", ""), p["containerPort"]) for c in containers for p in c.get("ports", ())]


def _probed(spec: Json) -> Iterator[int]:
    """Sidecars are among the first containers; a probe may be sent elsewhere."""
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        named = {p.get("name", ""): p["containerPort"] for p in container.get("ports") or ()}
        for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
            probe = container.get(kind) or {}
            asks = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
            port = named.get(asks.get("port"), asks.get("port"))
            if isinstance(port, int) and not asks.get("host"):
                yield port


def _waiting(container: Json) -> str:
    """Why a container does not run: `api: ImagePullBackOff: …`."""
    state = container.get("state", {}).get("waiting") or {}
    words = (container.get("name", ""), state.get("reason", ""), state.get("message", ""))
    return ": ".join(filter(None, words)) if state else ""


def _failed(status: Json) -> str:
    """Why the kubelet did not take it, or ended it: `OutOfcpu: Node didn't have enough …`."""
    return ": ".join(filter(None, (status.get("reason", ""), status.get("message", ""))))


def _pairs(holder: Json, key: str) -> Pairs:
    return tuple(sorted((holder.get(key) or {}).items()))
