"""A crowd: a thousand nodes and thousands of pods that only the API server sees (kwok).

For what has to be fast over a large cluster: selecting, planning. Nothing runs in them.
"""

from __future__ import annotations

import subprocess
from typing import Any

from devcluster import binaries, processes
from devcluster.layout import CONTROL_PLANE, ZONES, Failed, Layout
from devcluster.waiting import Asking, until

NAMESPACE = "crowd"
EACH = 100
_MARK = "kwok.x-k8s.io/node"
_TAINT = {"key": _MARK, "value": "fake", "effect": "NoSchedule"}
_READY_S = 240


def gather(layout: Layout, nodes: int, pods: int) -> None:
    """`pods` of them on `nodes` of those, Ready, in Deployments `app-0`, `app-1` … of 100 each."""
    binaries.ensure(binaries.KWOK)
    if not layout.patient:
        raise Failed("its nodes would be given up before all are there: up --patient")
    asking = Asking(layout)
    if asking.exists(f"/api/v1/namespaces/{NAMESPACE}"):
        raise Failed("the crowd is there already")
    _start_kwok(layout)
    for number in range(nodes):
        asking.create("/api/v1/nodes", _node(number))
    asking.create("/api/v1/namespaces", _namespace())
    asking.create(f"/api/v1/namespaces/{NAMESPACE}/services", _service())
    for number in range(0, pods, EACH):
        there = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
        asking.create(there, _deployment(number // EACH, min(EACH, pods - number)))
    everybody = layout.workers + nodes
    until(f"{everybody} nodes Ready", lambda: asking.ready_nodes() == everybody, _READY_S)
    until(f"{pods} pods Ready", lambda: _ready(asking) == pods, _READY_S)


def _start_kwok(layout: Layout) -> None:
    """Beside the API server; it ends with the control plane."""
    own = layout.address(CONTROL_PLANE)
    command = [
        str(binaries.KWOK.path), f"--kubeconfig={layout.kubeconfig}",
        "--manage-all-nodes=false", f"--manage-nodes-with-annotation-selector={_MARK}=fake",
        "--node-lease-duration-seconds=3600", "--cidr=198.19.128.0/17", f"--node-ip={own}",
    ]  # fmt: skip
    inside = processes.inside(layout, CONTROL_PLANE)
    with (layout.folder(CONTROL_PLANE) / "kwok.log").open("ab") as log:
        subprocess.Popen(
            [*inside, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def _node(number: int) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": f"fake-{number}",
        "topology.kubernetes.io/zone": ZONES[number % len(ZONES)],
        "type": "kwok",
    }
    size = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    meta = {"name": f"fake-{number}", "labels": labels, "annotations": {_MARK: "fake"}}
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {"taints": [_TAINT]},
        "status": {"capacity": size, "allocatable": size},
    }  # fmt: skip


def _namespace() -> dict[str, Any]:
    meta = {"name": NAMESPACE, "labels": {"harness.dev/allow": "all"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def _service() -> dict[str, Any]:
    """A way in: `app-0`."""
    spec = {"type": "NodePort", "selector": {"app": "app-0"}, "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app-0"}, "spec": spec}


def _deployment(number: int, replicas: int) -> dict[str, Any]:
    name = f"app-{number}"
    pod = {
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": _MARK, "operator": "Exists"}],
        "containers": [{"name": "app", "image": "nothing", "ports": [{"containerPort": 8080}]}],
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip


def _ready(asking: Asking) -> int:
    there = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    return sum(d["status"].get("readyReplicas", 0) for d in asking.json(there)["items"])
