"""What an agent on a node is, for the API: a pod of ours, privileged there and nowhere else.

The kubelet ends it at its deadline, whatever becomes of everybody else. Requests equal limits, so
that it is the last to be evicted where our own fault eats the memory.
"""

from __future__ import annotations

import hashlib
from typing import Any

from harness.experiment.model import AgentPod

Json = dict[str, Any]

ACCOUNT = "harness-agent"
LABEL = "app.kubernetes.io/name"
NAME = "harness-agent"
RUN = "harness.dev/run"
#: Beyond the run itself: to take back, to look, to be ended in order.
MARGIN_S = 60

_SLEEP = "import signal,time; signal.signal(15, lambda *_: exit()); time.sleep({seconds})"


def pod_name(node: str, run_id: str) -> str:
    """One agent a node and run; within the 63 characters that a name may have."""
    mark = hashlib.sha256(f"{node} {run_id}".encode()).hexdigest()[:10]
    return f"{NAME}-{node[:30].rstrip('.-')}-{mark}".replace(".", "-")


def agent_pod(node: str, run_id: str, agent: AgentPod, lasts_s: float) -> Json:
    deadline = int(lasts_s) + MARGIN_S
    size = {"cpu": agent.cpu, "memory": agent.memory}
    spec: Json = {
        "nodeName": node,
        "hostPID": True,
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "activeDeadlineSeconds": deadline,
        "terminationGracePeriodSeconds": 2,
        "tolerations": [_toleration(t) for t in agent.tolerations] or [{"operator": "Exists"}],
        "nodeSelector": dict(agent.node_selector),
        "imagePullSecrets": [{"name": name} for name in agent.pull_secrets],
        "containers": [{
            "name": "agent",
            "image": agent.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["python3", "-c", _SLEEP.format(seconds=deadline)],
            "securityContext": {"privileged": True},
            "resources": {"requests": size, "limits": size},
        }],
    }  # fmt: skip
    if agent.priority:
        spec["priorityClassName"] = agent.priority
    labels = {LABEL: NAME, RUN: label_of(run_id), "harness.dev/allow": "none"}
    meta = {"name": pod_name(node, run_id), "namespace": agent.namespace, "labels": labels,
            "annotations": {RUN: run_id}}  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def label_of(run_id: str) -> str:
    """The end of a run's id: what tells runs apart, in at most 63 characters."""
    return run_id[-63:].strip("-_.")


def namespace(agent: AgentPod) -> Json:
    """Privileged pods are allowed in it, and only in it."""
    labels = {LABEL: NAME, "pod-security.kubernetes.io/enforce": "privileged"}
    meta = {"name": agent.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def account(agent: AgentPod) -> Json:
    meta = {"name": ACCOUNT, "namespace": agent.namespace, "labels": {LABEL: NAME}}
    return {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta,
        "automountServiceAccountToken": False,
    }  # fmt: skip


def _toleration(text: str) -> Json:
    """`dedicated=chaos:NoSchedule` or `dedicated:NoSchedule`."""
    key, _, effect = text.rpartition(":")
    name, equals, value = key.partition("=")
    if not equals:
        return {"key": name, "operator": "Exists", "effect": effect}
    return {"key": name, "operator": "Equal", "value": value, "effect": effect}
