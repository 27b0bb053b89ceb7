"""What a cluster is fit for, and which faults not: read from its API server and on its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.capabilities import Nodes, Units, Workloads
from harness.errors import Exit
from harness.experiment.system_model import Cluster, System
from harness.substrates.check import Check
from harness.substrates.kubernetes.account import kinds_of, line_of, missing
from harness.substrates.kubernetes.agents import refusal
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.connection import connect
from harness.substrates.kubernetes.consent import ALLOW, allows, not_here
from harness.substrates.kubernetes.permissions import Use
from harness.substrates.kubernetes.power import Power
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.topology import find
from harness.substrates.kubernetes.visits import Visit, visit
from harness.substrates.kubernetes.workloads import SIZED

_ENFORCED = "pod-security.kubernetes.io/enforce"
_APART_S = 0.5
_WITH_AGENT = "network.*"
_ROLES = "kubectl apply -k k8s/overlays/namespaced, or what else gives it: k8s/README.md"


def diagnose(
    cluster: Cluster, system: System, faults: Mapping[str, type], logs: Path
) -> Iterator[Check]:
    """`faults`: what each of them needs of its target. Each check as soon as it is known. Raises
    `Refused`, `NotReady` where nobody can be asked."""
    there = connect(cluster.context, cluster.kubeconfig)
    reader = Reader(Api(there.configuration), cluster.namespace)
    yield Check(f"cluster: {there}")
    try:
        yield from _Diagnosis(cluster, system, reader, logs).checks(faults)
    except ApiError as error:
        raise refusal(error, f"the cluster cannot be read ({there})") from None


class _Diagnosis:
    def __init__(self, cluster: Cluster, system: System, reader: Reader, logs: Path) -> None:
        self._cluster = cluster
        self._system = system
        self._reader = reader
        self._api = reader.api
        self._logs = logs

    def checks(self, faults: Mapping[str, type]) -> Iterator[Check]:
        version = self._api.get("/version").get("gitVersion", "of an unknown version")
        yield Check(f"Kubernetes {version}, as {self._reader.account.name or 'somebody'}")
        everywhere = self._lacks()
        yield Check("permissions of every run", everywhere, _ROLES, Exit.USAGE)
        if everywhere:
            return
        refused = not_here(self._cluster, self._reader)
        yield Check(f"namespace {self._cluster.namespace}", refused, ends=Exit.USAGE)
        yield self._zones()
        yield self._metrics()
        unable = self._lacks(Use(_WITH_AGENT))
        yield Check("agents may be started", unable, _ROLES)
        visits: tuple[Visit, ...] = ()
        if not unable:
            yield self._security()
            visits = tuple(self._visits())
        for found in visits:
            yield from _of_node(found)
        yield _clocks(visits)
        yield from self._faults(faults, visits)

    def _lacks(self, *uses: Use) -> str:
        kinds = kinds_of(self._system)
        found = missing(self._reader.account, self._cluster, kinds, uses)
        return "; ".join(line_of(request, self._cluster) for request in found)

    def _zones(self) -> Check:
        named = sorted({node.zone for node in self._reader.nodes.values()} - {""})
        why = "" if named else "none can be seen: no label, or nodes may not be listed"
        return Check(f"zones: {', '.join(named) or 'none'}", why, "k8s/overlays/cluster-wide")

    def _metrics(self) -> Check:
        """Nothing here needs it: an autoscaler of the system may."""
        try:
            self._api.once("GET", "/apis/metrics.k8s.io/v1beta1")
        except ApiError as error:
            why = "not installed" if error.status in (403, 404) else error.told
            return Check("metrics API", why, "autoscalers and `kubectl top` need metrics-server")
        return Check("metrics API")

    def _security(self) -> Check:
        """Where nothing is said the cluster's own default holds, which the visit then meets."""
        name = self._cluster.agent.namespace
        found = self._api.find(f"/api/v1/namespaces/{name}")
        level = ((found or {}).get("metadata", {}).get("labels") or {}).get(_ENFORCED, "")
        why = f"it enforces {level}" if level not in ("", "privileged") else ""
        return Check(
            f"privileged agents in namespace {name}", why,
            f"kubectl label namespace {name} {_ENFORCED}=privileged --overwrite", Exit.INVALID,
        )  # fmt: skip

    def _visits(self) -> Iterator[Visit]:
        pods = find(self._system, self._reader).pods.values()
        ready = {pod.node: pod for pod in pods if pod.ready and not pod.host_network}
        return visit(self._api, self._cluster.agent, ready, self._logs)

    def _faults(self, faults: Mapping[str, type], visits: tuple[Visit, ...]) -> Iterator[Check]:
        """Those that can be made, and the others by what is in their way."""
        by_reason: dict[str, list[str]] = {}
        for kind, needs in faults.items():
            by_reason.setdefault(self._obstacle(kind, needs, visits), []).append(kind)
        can = by_reason.pop("", [])
        yield Check(f"faults that can be made here: {', '.join(can) or 'none'}")
        for why, kinds in by_reason.items():
            yield Check(f"refused here: {', '.join(kinds)}", why)

    def _obstacle(self, kind: str, needs: type, visits: tuple[Visit, ...]) -> str:
        if needs is Units:
            return "a cluster restarts its pods itself: pod.delete, container.kill"
        labels = self._reader.namespace["metadata"].get("labels") or {}
        if not allows(labels.get(ALLOW, ""), kind):
            said = f"allows {labels[ALLOW]}" if labels.get(ALLOW) else "has allowed nothing"
            return f"the namespace's owner {said}: harness allow {self._cluster.namespace}"
        sized = [name for name in kinds_of(self._system) if name in SIZED]
        uses = [Use(kind, name) for name in (sized if needs is Workloads else [""])]
        if lacks := self._lacks(*uses):
            return f"not permitted: {lacks}"
        power = Power(self._cluster.power_off, self._cluster.power_on)
        if kind == "node.down" and power.missing:
            return power.missing
        if needs is Nodes or not visits:
            return ""
        blocked = [f"{v.node}: {v.blocks(needs)}" for v in visits if v.blocks(needs)]
        return "; ".join(blocked)


def _of_node(found: Visit) -> Iterator[Check]:
    if found.why_not:
        yield Check(f"agent on {found.node}", found.why_not, found.cure, found.ends)
        return
    yield Check(f"agent on {found.node}: {found.runtime}, kernel {found.kernel}, "
                f"Python {found.python}")  # fmt: skip
    for what, rungs in found.rungs.items():
        works = next((name for name, why in rungs.items() if not why), "")
        better = "; ".join(f"{name}: {why}" for name, why in rungs.items() if why)
        if works:
            yield Check(f"  {what} on {found.node}: {works}" + (f" ({better})" if better else ""))
        else:
            yield Check(f"  {what} on {found.node}", better)


def _clocks(visits: tuple[Visit, ...]) -> Check:
    told = {v.node: v for v in visits if not v.why_not}
    if not told:
        return Check("clocks of nodes", "no node was visited")
    said = ", ".join(f"{v.node} {v.ahead_s * 1000:+.1f} ms" for v in told.values())
    apart = max(v.ahead_s for v in told.values()) - min(v.ahead_s for v in told.values())
    far = max(apart, *(abs(v.ahead_s) for v in told.values()))
    why = f"up to {far:.1f} s apart: a Lease may look older than it is" if far > _APART_S else ""
    unsure = max(v.unsure_s for v in told.values()) * 1000
    return Check(f"clocks against ours: {said}, each within {unsure:.1f} ms", why,
                 "synchronise them (NTP)")  # fmt: skip
