"""Who may be disturbed: a file does not authorise itself, the namespace's owner does.

`harness.dev/allow` on a namespace holds the families of faults that it takes (`network.pod`,
`all`); on a pod it narrows that (`none` refuses everything). `harness.dev/halt` on a namespace is
the red button.
"""

from __future__ import annotations

import re

from harness.agent.button import HALT
from harness.experiment.system_model import Cluster
from harness.substrates.kubernetes.manifest import LABEL, NAME
from harness.substrates.kubernetes.objects import Pairs, Pod
from harness.substrates.kubernetes.reading import Reader

ALLOW = "harness.dev/allow"
_SYSTEM = ("kube-system", "kube-public", "kube-node-lease")


def not_here(cluster: Cluster, reader: Reader) -> str:
    """Why no run may touch this namespace of this cluster, or nothing."""
    if cluster.uid and cluster.uid != reader.cluster_uid:
        found = reader.cluster_uid or "not to be read"
        return f"the system is pinned to the cluster {cluster.uid}, and this one is {found}"
    if cluster.namespace in _SYSTEM:
        return f"the namespace {cluster.namespace} belongs to the cluster itself"
    annotations = reader.namespace["metadata"].get("annotations") or {}
    if why := annotations.get(HALT):
        return f"faults are halted in namespace {cluster.namespace} ({HALT}={why})"
    return ""


class Consent:
    def __init__(self, cluster: Cluster, reader: Reader) -> None:
        self._namespace = cluster.namespace
        self._labels = reader.namespace["metadata"].get("labels") or {}

    def forbids(self, kind: str, pod: Pod, *, named: bool = False) -> str:
        """Why a fault of this kind must not act on this pod, or nothing. What a file means by its
        own name needs its owner's consent, and no more."""
        if not allows(self._labels.get(ALLOW, ""), kind):
            said = self._labels.get(ALLOW)
            have = f"allows {said}" if said else "has not allowed any fault"
            return (
                f"the owner of namespace {self._namespace} {have}: harness allow {self._namespace}"
            )
        return refused(pod, kind) or ("" if named else protected(pod))


def allows(words: str, kind: str) -> bool:
    """`network.pod` allows `network.latency`; `all` everything; nothing, nothing."""
    given = set(re.split(r"[._-]+|\s*,\s*", words.lower()))
    return bool(given & {"all", kind.partition(".")[0]}) and "none" not in given


def refused(pod: Pod, kind: str) -> str:
    """What its owner says about this very pod."""
    own = _value(pod.labels, ALLOW) or _value(pod.annotations, ALLOW)
    return f"{pod.ref} says {ALLOW}={own}" if own and not allows(own, kind) else ""


def protected(pod: Pod) -> str:
    """What this pod is, that it is left alone unless a file names it."""
    named = f"target: pod/{pod.name} would name it"
    if _value(pod.labels, LABEL) == NAME:
        return f"{pod.ref} is an agent of ours"
    if pod.static or pod.namespace in _SYSTEM:
        return f"{pod.ref} belongs to the control plane ({named})"
    if pod.host_network:
        return f"{pod.ref} is on its node's own network: a fault would hit the whole node ({named})"
    return ""


def _value(pairs: Pairs, key: str) -> str:
    return dict(pairs).get(key, "")
