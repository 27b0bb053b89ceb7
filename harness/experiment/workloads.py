"""References to what runs on a cluster, as kubectl users write them: `deploy/web`, `sts/db`."""

from __future__ import annotations

import re

#: What a pod can belong to, by every name for it.
WORKLOADS = {
    "deploy": "deployment", "deployment": "deployment", "deployments": "deployment",
    "sts": "statefulset", "statefulset": "statefulset", "statefulsets": "statefulset",
    "ds": "daemonset", "daemonset": "daemonset", "daemonsets": "daemonset",
    "rs": "replicaset", "replicaset": "replicaset", "replicasets": "replicaset",
    "job": "job", "jobs": "job", "svc": "service", "service": "service", "services": "service",
    "po": "pod", "pod": "pod", "pods": "pod",
}  # fmt: skip
#: What else may stand before the slash of a target.
PLACES = ("zone", "node", "region")

_REFERENCE = re.compile(r"([a-z]+)/([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)")


def in_full(reference: str) -> str:
    """`deploy/web` as `deployment/web`; empty when it is no reference of that form."""
    match = _REFERENCE.fullmatch(reference)
    kind = WORKLOADS.get(match[1], match[1] if match[1] in PLACES else "") if match else ""
    return f"{kind}/{match[2]}" if match and kind else ""
