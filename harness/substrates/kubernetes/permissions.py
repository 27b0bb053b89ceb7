"""What a run asks of the API server: the Roles of `k8s/` are written from this.

Each rule says why, and where it is needed: `targets` is the system's namespace, `agents` that of
the agents, `cluster` what no namespace holds, `button` what agents themselves ask of the system's
namespace. Without those of `cluster` a run knows less: zones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.substrates.kubernetes.manifest import RBAC

Where = Literal["targets", "agents", "cluster", "button"]


@dataclass(frozen=True)
class Rule:
    """`group` empty is the core API. `faults` are those that need it; none: every run does."""

    where: Where
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    faults: tuple[str, ...] = ()


_LEASES = ("create", "delete", "get", "update")
_WORKLOADS = ("deployments", "statefulsets", "daemonsets", "replicasets")
_SIZED = ("deployments", "statefulsets")
_WORKLOAD_FAULTS = ("rollout.bad_image", "scale.to")
_OUTAGES = ("container.kill", "network.partition", "node.down", "node.drain", "pod.delete",
            "process.kill", "process.pause", "scale.to", "zone.down")  # fmt: skip
_NODE_FAULTS = ("node.cordon", "node.down", "node.drain", "zone.down")

RULES = (
    Rule("targets", "", ("namespaces",), ("get",), "its consent, and the red button"),
    Rule("targets", "", ("pods",), ("get", "list"), "targets, and what becomes of them"),
    Rule("targets", "", ("services",), ("get", "list"), "what callers dial, and the way in"),
    Rule("targets", "apps", _WORKLOADS, ("get",), "whose pods are meant"),
    Rule("targets", "apps", ("replicasets",), ("list",), "those of a Deployment"),
    Rule("targets", "apps", ("deployments",), ("list",), "is a rollout under way?"),
    Rule("targets", "batch", ("jobs",), ("get",), "whose pods are meant"),
    Rule("targets", "policy", ("poddisruptionbudgets",), ("list",), "what can be spared", _OUTAGES),
    Rule("targets", "", ("pods",), ("delete",), "to delete them", ("pod.delete",)),
    Rule("targets", "", ("pods/eviction",), ("create",), "to evict them", ("node.drain",)),
    Rule("targets", "apps", _SIZED, ("patch",), "to change them, and back", _WORKLOAD_FAULTS),
    Rule(
        "targets", "autoscaling", ("horizontalpodautoscalers",), ("list",),
        "who else decides the size", ("scale.to",),
    ),
    Rule("targets", RBAC, ("roles", "rolebindings"), ("get",), "do agents see the red button?"),
    Rule("button", "", ("namespaces",), ("get",), "the red button, whoever else is dead"),
    Rule("agents", "", ("namespaces", "serviceaccounts"), ("get",), "are they installed?"),
    Rule("agents", "batch", ("jobs",), ("create", "delete", "get", "list"), "one agent a node"),
    Rule("agents", "", ("pods",), ("create", "delete", "get", "list"), "is it there?"),
    Rule("agents", "", ("pods/exec",), ("create", "get"), "the line to it: a websocket is a get"),
    Rule("agents", "", ("events",), ("list",), "why it does not come up"),
    Rule("agents", "coordination.k8s.io", ("leases",), _LEASES, "one holder of each target"),
    Rule("cluster", "", ("nodes",), ("list",), "zones, and the address of the way in"),
    Rule("cluster", "", ("nodes",), ("get",), "how it is", _NODE_FAULTS),
    Rule("cluster", "", ("pods",), ("list",), "who else lives on a node", ("node.down",)),
    Rule(
        "cluster", "policy", ("poddisruptionbudgets",), ("list",),
        "what those can spare", ("node.down",),
    ),
    Rule("cluster", "", ("nodes",), ("patch",), "to cordon it", ("node.cordon", "node.drain")),
)  # fmt: skip


def rules(*where: Where) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.where in where)


def allowed(found: tuple[Rule, ...], group: str, resource: str, verb: str) -> bool:
    """`resource` with its subresource, as `pods/exec`."""
    return any(
        rule.group == group and resource in rule.resources and verb in rule.verbs for rule in found
    )


def manifest(kind: str, name: str, found: tuple[Rule, ...], namespace: str = "") -> str:
    """A Role or ClusterRole as YAML, each rule under its reason."""
    place = f", namespace: {namespace}" if namespace else ""
    lines = [
        "# Written from harness/substrates/kubernetes/permissions.py: UPDATE_GOLDEN=1 pytest",
        "# tests/contract/test_permissions.py",
        "apiVersion: rbac.authorization.k8s.io/v1",
        f"kind: {kind}",
        f"metadata: {{name: {name}{place}}}",
        "rules:",
    ]
    for rule in found:
        lines += [f"  # {_reason(rule)}", f"  - apiGroups: [{rule.group or _CORE}]"]
        lines += [f"    resources: [{', '.join(rule.resources)}]"]
        lines += [f"    verbs: [{', '.join(rule.verbs)}]"]
    return "\n".join(lines) + "\n"


def _reason(rule: Rule) -> str:
    return f"{rule.why}: {', '.join(rule.faults)}" if rule.faults else rule.why


_CORE = '""'
