"""What the account that we are may do: asked of the API server, which lets everybody ask it.

One review lists all that is allowed in a namespace; what it does not list is asked for by name, for
lists may be incomplete and the single answer is the one that counts. Where even asking is refused
everything is taken as allowed: the server will say no itself, when its time comes.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from harness.experiment.model import Intervention
from harness.experiment.system_model import Cluster, System
from harness.experiment.workloads import in_full
from harness.substrates.kubernetes.api import Api, ApiError, Json
from harness.substrates.kubernetes.permissions import Request, Use, needed

_AUTHORIZATION = "/apis/authorization.k8s.io/v1"


class Account:
    """Its answers are of the time of the first question."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._listed: dict[str, tuple[Json, ...]] = {}
        self._asked: dict[tuple[str, ...], bool] = {}

    @cached_property
    def name(self) -> str:
        """`system:serviceaccount:harness:harness`; empty where the server does not tell."""
        answer = self._review("/apis/authentication.k8s.io/v1", "SelfSubjectReview", {})
        return str(answer.get("userInfo", {}).get("username", ""))

    def may(
        self, verb: str, group: str, resource: str, namespace: str = "", name: str = ""
    ) -> bool:
        """`resource` with its subresource, as `pods/exec`; without a `namespace` in all of them."""
        if namespace and any(_covers(r, verb, group, resource) for r in self._rules(namespace)):
            return True
        key = (verb, group, resource, namespace, name)
        if key not in self._asked:
            self._asked[key] = self._single(*key)
        return self._asked[key]

    def _rules(self, namespace: str) -> tuple[Json, ...]:
        if namespace not in self._listed:
            spec = {"namespace": namespace}
            status = self._review(_AUTHORIZATION, "SelfSubjectRulesReview", {"spec": spec})
            self._listed[namespace] = tuple(status.get("resourceRules") or ())
        return self._listed[namespace]

    def _single(self, verb: str, group: str, resource: str, namespace: str, name: str) -> bool:
        resource, _, sub = resource.partition("/")
        about = {"verb": verb, "group": group, "resource": resource, "subresource": sub,
                 "namespace": namespace, "name": name}  # fmt: skip
        spec = {"resourceAttributes": {key: value for key, value in about.items() if value}}
        status = self._review(_AUTHORIZATION, "SelfSubjectAccessReview", {"spec": spec})
        return bool(status.get("allowed", True))

    def _review(self, group: str, kind: str, body: Json) -> Json:
        """Its status; empty where it cannot be asked for."""
        whole = {"apiVersion": group.removeprefix("/apis/"), "kind": kind, **body}
        try:
            answer = self._api.create(f"{group}/{kind.lower()}s", whole)
        except ApiError as error:
            if error.status not in (403, 404, 405):
                raise
            return {}
        found: dict[str, Any] = answer.get("status") or {}
        return found


def lacks(
    account: Account, cluster: Cluster, system: System, timeline: tuple[Intervention, ...]
) -> str:
    """What it may not, of all that these faults need on that system, line by line; or nothing."""
    uses = tuple(Use(i.kind, _workload(system, i.where.target)) for i in timeline)
    found = missing(account, cluster, kinds_of(system), uses)
    if not found:
        return ""
    head = f"{account.name or 'this account'} may not do all that this needs:"
    return "\n".join((head, *(f"    {line_of(request, cluster)}" for request in found)))


def missing(
    account: Account, cluster: Cluster, kinds: tuple[str, ...], uses: tuple[Use, ...]
) -> tuple[Request, ...]:
    """`kinds` of workloads that the system has."""
    wanted = needed(uses, kinds, aboard=cluster.agent.way == "ephemeral")
    return tuple(r for r in wanted if not account.may(*r.asked, _namespace(r, cluster)))


def kinds_of(system: System) -> tuple[str, ...]:
    return tuple({s.workload.partition("/")[0]: None for s in system.services if s.workload})


def line_of(request: Request, cluster: Cluster) -> str:
    """`delete pods in namespace shop: to delete them (pod.delete)`."""
    namespace = _namespace(request, cluster)
    where = f"in namespace {namespace}" if namespace else "in the cluster"
    group = f".{request.group}" if request.group else ""
    whose = ", ".join(request.faults) or "every run"
    return f"{request.verb} {request.resource}{group} {where}: {request.why} ({whose})"


def _namespace(request: Request, cluster: Cluster) -> str:
    """Empty for what no namespace holds."""
    there = {"agents": cluster.agent.namespace, "cluster": ""}
    return there.get(request.where, cluster.namespace)


def _workload(system: System, target: str) -> str:
    """The kind of workload that a service, or a reference to one, stands for."""
    service = system.service(target)
    return (service.workload if service else in_full(target)).partition("/")[0]


def _covers(rule: Json, verb: str, group: str, resource: str) -> bool:
    return not rule.get("resourceNames") and all(
        {wanted, "*"} & set(rule.get(key) or ())
        for key, wanted in (("verbs", verb), ("apiGroups", group), ("resources", resource))
    )
