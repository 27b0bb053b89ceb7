"""What a run asks of the API server: the Roles of `k8s/` are written from this.

Each rule says why, and where it is needed: `targets` is the system's namespace, `agents` that of
the agents, `load` that of load workers, `cluster` what no namespace holds, `button` what agents
themselves ask of the system's namespace; `ephemeral` is what a run asks there in addition where
agents live in their targets. Who lacks one is told at `plan`, see `account`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.substrates.kubernetes.manifest import RBAC

Where = Literal["targets", "agents", "cluster", "button", "ephemeral", "load"]


@dataclass(frozen=True)
class Rule:
    """`group` empty is the core API. `faults` are those that need it; none: every run does, one
    of `agents` if it has an agent. `workloads` are the kinds that it is about; none: any.
    `spare`: who must do without it knows less, and is not refused. `agent`: only with agents."""

    where: Where
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    faults: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    spare: bool = False
    agent: bool = False


@dataclass(frozen=True)
class Use:
    """A fault of a timeline, and the kind of workload that it is about: `deployment`, or empty."""

    fault: str
    workload: str = ""


@dataclass(frozen=True)
class Request:
    """One verb on one kind of thing, why, and the faults that need it (none: every run)."""

    where: Where
    group: str
    resource: str
    verb: str
    why: str
    faults: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, str, str]:
        """Verb, group, resource: as reviews name it."""
        return self.verb, self.group, self.resource


#: These are done by the API server alone, or by a switch of power.
WITHOUT_AGENT = ("node.cordon", "node.down", "node.drain", "rollout.bad_image", "scale.to")
_SEEN = ("list", "watch")
_LEASES = ("create", "delete", "get", "update")
_COORDINATION = "coordination.k8s.io"
_APPS = ("deployment", "statefulset", "daemonset", "replicaset")
_SIZED = ("deployment", "statefulset", "replicaset")
_WORKLOAD_FAULTS = ("rollout.bad_image", "scale.to")
_OUTAGES = ("container.kill", "network.partition", "node.down", "node.drain", "pod.delete",
            "process.kill", "process.pause", "region.down", "scale.to", "zone.down")  # fmt: skip
_NODE_FAULTS = ("node.cordon", "node.down", "node.drain")

RULES = (
    Rule("targets", "", ("namespaces",), ("get",), "its consent, and the red button"),
    Rule("targets", "", ("pods",), ("get", "list"), "targets, and what becomes of them"),
    Rule("targets", "", ("services",), ("list",), "what callers dial, and the way in"),
    Rule("targets", "", ("services",), ("get",), "whose pods are meant", workloads=("service",)),
    *(
        Rule("targets", "apps", (f"{kind}s",), ("get",), "whose pods are meant", workloads=(kind,))
        for kind in _APPS
    ),
    Rule("targets", "batch", ("jobs",), ("get",), "whose pods are meant", workloads=("job",)),
    Rule(
        "targets", "apps", ("replicasets",), ("list",), "those of a Deployment",
        workloads=("deployment",),
    ),
    Rule("targets", "apps", ("deployments",), ("list",), "is a rollout under way?"),
    Rule("targets", "policy", ("poddisruptionbudgets",), ("list",), "what can be spared", _OUTAGES),
    Rule("targets", "", ("pods",), ("delete",), "to delete them", ("pod.delete",)),
    Rule("targets", "", ("pods/eviction",), ("create",), "to evict them", ("node.drain",)),
    *(
        Rule(
            "targets", "apps", (f"{kind}s",), ("patch",), "to change them, and back",
            _WORKLOAD_FAULTS, (kind,),
        )
        for kind in _SIZED
    ),
    Rule(
        "targets", "autoscaling", ("horizontalpodautoscalers",), ("list",),
        "who else decides the size", ("scale.to",),
    ),
    Rule("targets", RBAC, ("roles", "rolebindings"), ("get",), "do agents see the red button?",
         agent=True),
    Rule(
        "targets", "networking.k8s.io", ("ingresses",), ("list",), "the way in, where it is one",
        spare=True,
    ),
    Rule("targets", "", ("pods/portforward",), ("create", "get"), "the way in, where no other is",
         spare=True),
    Rule("targets", "", ("pods", "events"), _SEEN, "what the cluster saw", spare=True),
    Rule("targets", "apps", ("deployments", "statefulsets"), _SEEN, "what the cluster saw",
         spare=True),
    Rule("targets", "discovery.k8s.io", ("endpointslices",), _SEEN, "what the cluster saw",
         spare=True),
    Rule("load", "", ("namespaces",), ("get",), "is it installed?"),
    Rule("load", "batch", ("jobs",), ("create", "delete"), "load workers"),
    Rule("load", "batch", ("jobs",), ("list",), "to recover: load of a dead run"),
    Rule("load", "", ("pods",), ("get", "list"), "are they there?"),
    Rule("load", "", ("pods/exec",), ("create", "get"), "the line to them: a websocket is a get"),
    Rule("button", "", ("namespaces",), ("get",), "the red button, whoever else is dead"),
    Rule("agents", "", ("namespaces", "serviceaccounts"), ("get",), "are they installed?"),
    Rule("agents", "batch", ("jobs",), ("create", "delete", "get"), "one agent a node", agent=True),
    Rule("agents", "batch", ("jobs",), ("patch",), "its deadline, counted anew", agent=True),
    Rule("agents", "batch", ("jobs",), ("list",), "to recover: agents of a dead run", agent=True),
    Rule("agents", "", ("pods",), ("list",), "is it there?", agent=True),
    Rule("agents", "", ("pods/exec",), ("get",), "the line to it: a websocket is a get",
         agent=True),
    Rule("agents", "", ("pods/exec",), ("create",), "and a create too, from Kubernetes 1.35",
         agent=True),
    Rule("agents", "", ("events",), ("list",), "why it does not come up", agent=True),
    Rule("agents", _COORDINATION, ("leases",), _LEASES, "one holder of each target"),
    Rule("agents", _COORDINATION, ("leases",), ("patch",), "what was before", WITHOUT_AGENT),
    Rule("agents", _COORDINATION, ("leases",), ("list",), "what dead runs left", spare=True),
    Rule(
        "ephemeral", "", ("pods/ephemeralcontainers",), ("patch",),
        "an agent in each target, instead of one a node", agent=True,
    ),
    Rule("ephemeral", "", ("pods/exec",), ("create", "get"), "the line to it", agent=True),
    Rule(
        "ephemeral", _COORDINATION, ("leases",), (*_LEASES, "list", "patch"),
        "one holder of each target, and what was before",
    ),
    Rule("cluster", "", ("services",), ("list",), "who resolves names", spare=True),
    Rule("cluster", "discovery.k8s.io", ("endpointslices",), ("list",), "who resolves names",
         spare=True),
    Rule("cluster", "", ("nodes",), ("list",), "zones, and the address of the way in", spare=True),
    Rule("cluster", "", ("nodes",), ("list",), "whose zone is meant", ("zone.down",)),
    Rule("cluster", "", ("nodes",), _SEEN, "what the cluster saw", spare=True),
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


def needed(
    uses: tuple[Use, ...], workloads: tuple[str, ...], *, aboard: bool = False
) -> tuple[Request, ...]:
    """What a run with these faults asks for, on a system with these kinds of workloads; `aboard`:
    its agents live in their targets."""
    elsewhere = "agents" if aboard else "ephemeral"
    found: dict[Request, None] = {}
    for rule in RULES:
        whose = _needing(rule, uses, workloads)
        fits = rule.where != elsewhere and (not aboard or rule.where != "targets" or not rule.agent)
        if whose is None or rule.spare or not fits:
            continue
        for resource in rule.resources:
            for verb in rule.verbs:
                found[Request(rule.where, rule.group, resource, verb, rule.why, whose)] = None
    return tuple(found)


def _needing(
    rule: Rule, uses: tuple[Use, ...], workloads: tuple[str, ...]
) -> tuple[str, ...] | None:
    """The faults that need it, none of them: every run; None: this one does without."""
    if rule.where in ("button", "load"):
        return None
    if rule.where in ("agents", "ephemeral") or rule.agent:
        acting = {use.fault for use in uses} - set(WITHOUT_AGENT if rule.agent else ())
        return tuple(sorted(acting & set(rule.faults or acting))) or None
    if not rule.faults:
        return () if not rule.workloads or set(rule.workloads) & set(workloads) else None
    fitting = (u for u in uses if not rule.workloads or u.workload in rule.workloads)
    return tuple(sorted({u.fault for u in fitting} & set(rule.faults))) or None


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
    about = rule.faults or tuple(f"of a {kind}" for kind in rule.workloads)
    return f"{rule.why}: {', '.join(about)}" if about else rule.why


_CORE = '""'
