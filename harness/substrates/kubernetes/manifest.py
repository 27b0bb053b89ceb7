"""What an agent on a node is, for the API: a Job of one pod, privileged there and nowhere else.

Its container ends by itself when no agent runs in it any more, the kubelet ends it at its deadline,
and the cluster then deletes the Job with all that belongs to it: nobody has to come back for it.
Requests equal limits, so that it is the last to be evicted where our own fault eats the memory.
"""

from __future__ import annotations

import hashlib
from typing import Any

from harness.experiment.system_model import AgentPod

Json = dict[str, Any]

ACCOUNT = "harness-agent"
LABEL = "app.kubernetes.io/name"
NAME = "harness-agent"
RUN = "harness.dev/run"
#: The group of Roles.
RBAC = "rbac.authorization.k8s.io"
#: Beyond the run itself: to take back, to look, to be ended in order.
MARGIN_S = 60

#: Where the process of an agent in the container leaves its pid.
PIDS = "/dev/shm/harness-agents"  # noqa: S108  a file of the container
#: So long after the last agent has ended its pod ends, and is deleted: a successor may come.
LINGER_S, TTL_S = 3, 0

_WATCH = f"""
import os, signal, time
signal.signal(15, lambda *_: os._exit(0))
until = time.monotonic() + 60
while time.monotonic() < until:
    time.sleep(0.5)
    pids = open("{PIDS}").read().split() if os.path.exists("{PIDS}") else []
    if any(os.path.exists("/proc/" + pid) for pid in pids):
        until = time.monotonic() + {LINGER_S}
"""


def pod_name(node: str, run_id: str) -> str:
    """One agent a node and run; within the 63 characters that a name may have."""
    mark = hashlib.sha256(f"{node} {run_id}".encode()).hexdigest()[:10]
    return f"{NAME}-{node[:30].rstrip('.-')}-{mark}".replace(".", "-")


def agent_job(
    node: str, run_id: str, agent: AgentPod, lasts_s: float, deadline: int
) -> Json:  # fmt: skip
    """`lasts_s` is the run's; `deadline` is the Job's own, in seconds, which `deadlines` moves."""
    labels = {LABEL: NAME, RUN: label_of(run_id)}
    meta = {"name": pod_name(node, run_id), "namespace": agent.namespace, "labels": labels,
            "annotations": {RUN: run_id}}  # fmt: skip
    last = int(lasts_s) + MARGIN_S
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": deadline,
        "ttlSecondsAfterFinished": TTL_S,
        "template": {"metadata": {"labels": labels}, "spec": _pod(node, agent, last)},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def _pod(node: str, agent: AgentPod, deadline: int) -> Json:
    size = {"cpu": agent.cpu, "memory": agent.memory}
    container = {
        "name": "agent",
        "image": agent.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _WATCH],
        "securityContext": {"privileged": True},
        "resources": {"requests": size, "limits": size},
    }
    return {
        "nodeName": node,
        "hostPID": True,
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": True,  # it looks at the red button itself
        "restartPolicy": "Never",
        "activeDeadlineSeconds": deadline,
        "terminationGracePeriodSeconds": 2,
        "containers": [container],
        **placed(agent, otherwise=({"operator": "Exists"},)),
    }


def placed(pods: AgentPod, otherwise: tuple[Json, ...] = ()) -> Json:
    """What of a pod's spec says where it may be, and with what; `otherwise` are the tolerations
    where none are given."""
    return {
        "tolerations": [toleration(text) for text in pods.tolerations] or list(otherwise),
        "nodeSelector": dict(pods.node_selector),
        "imagePullSecrets": [{"name": name} for name in pods.pull_secrets],
        **({"priorityClassName": pods.priority} if pods.priority else {}),
    }


def boarder(name: str, agent: AgentPod) -> Json:
    """An agent as an ephemeral container of a pod: root, but with the two capabilities alone that
    rules of its network and probes take."""
    capabilities = {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}
    return {
        "name": name,
        "image": agent.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _WATCH],
        "securityContext": {
            "runAsUser": 0, "runAsNonRoot": False, "allowPrivilegeEscalation": False,
            "capabilities": capabilities,
        },
    }  # fmt: skip


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


def sight(namespace: str, agent: AgentPod) -> tuple[Json, Json]:
    """The Role and RoleBinding in a system's namespace by which agents see its red button."""
    meta = {"name": ACCOUNT, "namespace": namespace, "labels": {LABEL: NAME}}
    rule = {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [namespace],
            "verbs": ["get"]}  # fmt: skip
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": [rule]}
    return role, {
        "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": meta,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": ACCOUNT},
        "subjects": [
            {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": agent.namespace}
        ],
    }  # fmt: skip


def toleration(text: str) -> Json:
    """`dedicated=chaos:NoSchedule` or `dedicated:NoSchedule`."""
    key, _, effect = text.rpartition(":")
    name, equals, value = key.partition("=")
    if not equals:
        return {"key": name, "operator": "Exists", "effect": effect}
    return {"key": name, "operator": "Equal", "value": value, "effect": effect}
