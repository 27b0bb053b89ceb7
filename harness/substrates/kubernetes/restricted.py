"""What our own pods are that need no privilege: restricted in every way that Pod Security knows."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

#: `securityContext` of the pod, and of its container.
POD: Json = {
    "runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip
CONTAINER: Json = {
    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}  # fmt: skip


def writable(name: str, path: str) -> tuple[list[Json], list[Json]]:
    """Mounts and volumes of a container that writes to `path` and /tmp, and nowhere else."""
    places = {name: path, "tmp": "/tmp"}  # noqa: S108  the pod's own
    mounts = [{"name": name, "mountPath": place} for name, place in places.items()]
    return mounts, [{"name": name, "emptyDir": {}} for name in places]


def namespace(name: str) -> Json:
    """One in which nothing else is allowed, and no fault."""
    labels = {"harness.dev/allow": "none", "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
