"""What stands around the targets: tenants of their nodes, disruption budgets, rollouts."""

from __future__ import annotations

from collections.abc import Iterator

from harness.experiment.labels import holds, parsed
from harness.substrates.kubernetes.manifest import LABEL, NAME
from harness.substrates.kubernetes.objects import Json, Pod, selector_text
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.topology import Found
from harness.substrates.substrate import Budget, Surroundings, Tenant


def look_around(
    found: Found, reader: Reader, nodes: tuple[str, ...], *, outage: bool
) -> Surroundings:
    strangers = [pod for node in nodes for pod in _strangers(found, reader, node)]
    workloads = {ref: reader.workload(ref) for ref in found.workloads.values()}
    pods = [*found.pods.values(), *strangers] if outage else []
    return Surroundings(
        found.topology,
        reader.name,
        tuple(Tenant(p.name, p.namespace, p.node) for p in strangers),
        tuple(_budgets(reader, pods)),
        tuple((ref, size(item)) for ref, item in workloads.items() if "replicas" in item["spec"]),
        tuple(ref for ref, item in workloads.items() if is_rolling(item)),
    )


def _strangers(found: Found, reader: Reader, node: str) -> Iterator[Pod]:
    """What a DaemonSet or the kubelet itself keeps belongs to the node, and is missed with it;
    agents of ours come and go."""
    for pod in reader.on_node(node):
        of_the_node = pod.static or pod.owner.startswith("daemonset/")
        ours = pod.name in found.pods or (LABEL, NAME) in pod.labels
        if not (pod.ended or pod.leaving or of_the_node or ours):
            yield pod


def _budgets(reader: Reader, pods: list[Pod]) -> Iterator[Budget]:
    for namespace in sorted({pod.namespace for pod in pods}):
        there = [pod for pod in pods if pod.namespace == namespace]
        for item in reader.budgets(namespace):
            text = selector_text(item["spec"].get("selector") or {})
            terms = parsed(text) if text else ()
            mine = tuple(pod.name for pod in there if holds(terms, dict(pod.labels)))
            spare = int(item.get("status", {}).get("disruptionsAllowed", 0))
            yield Budget(item["metadata"]["name"], mine, spare)


def size(workload: Json) -> int:
    return int(workload["spec"].get("replicas", 1))


def is_rolling(workload: Json) -> bool:
    """Pods of an older template are still there, or its controller has not seen the newest."""
    meta, status = workload["metadata"], workload.get("status", {})
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        return True
    if "updateRevision" in status:  # a StatefulSet; `currentRevision` goes after the last pod
        new = status.get("updatedReplicas", 0)
        return bool(status["updateRevision"] != status.get("currentRevision")) and new < size(
            workload
        )
    if "desiredNumberScheduled" in status:  # a DaemonSet
        return bool(status.get("updatedNumberScheduled", 0) < status["desiredNumberScheduled"])
    if "updatedReplicas" not in status:
        return False
    return bool(status.get("replicas", 0) > status["updatedReplicas"])
