"""What an API server says of rollouts, budgets and tenants."""

from __future__ import annotations

from typing import Any

import pytest
from test_cluster_topology import ANSWERS, CORE, Answers, made, pod

from harness.experiment.system_model import Service
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.surroundings import is_rolling, look_around
from harness.substrates.kubernetes.topology import find
from harness.substrates.substrate import Budget, Tenant


def stranger(name: str, owner: str = "ReplicaSet", **labels: str) -> dict[str, Any]:
    item = pod(name, "elsewhere", node="n2", **labels)
    item["metadata"]["namespace"] = "billing"
    item["metadata"]["ownerReferences"][0]["kind"] = owner
    return item


def budget(name: str, spare: int, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"disruptionsAllowed": spare},
            "spec": {"selector": {"matchLabels": labels}}}  # fmt: skip


BUDGETS = "/apis/policy/v1/namespaces/{}/poddisruptionbudgets"
MORE: dict[str, Any] = {
    "/api/v1/pods": [
        *ANSWERS[f"{CORE}/pods"], stranger("bill", app="bill"), stranger("log", "DaemonSet"),
        stranger("agent", **{"app.kubernetes.io/name": "harness-agent"}),
    ],
    BUDGETS.format("shop"): [budget("api", 1, app="api"), budget("everything", 3)],
    BUDGETS.format("billing"): [budget("bill", 0, app="bill")],
}  # fmt: skip


class More(Answers):
    def items(self, path, **query):  # type: ignore[no-untyped-def]
        return iter(MORE[path]) if path in MORE else super().items(path, **query)


def looked(nodes: tuple[str, ...], *, outage: bool):  # type: ignore[no-untyped-def]
    reader = Reader(More(), "shop")  # type: ignore[arg-type]
    found = find(made(Service("api", workload="deployment/api")), reader)
    return look_around(found, reader, nodes, outage=outage)


def test_tenants_are_neither_the_systems_nor_the_nodes_own() -> None:
    there = looked(("n2",), outage=True)
    assert {t.name for t in there.tenants} == {"bill", "decoy"}
    assert Tenant("bill", "billing", "n2") in there.tenants
    assert looked((), outage=True).tenants == ()


def test_budgets_hold_for_the_system_and_for_tenants() -> None:
    found = set(looked(("n2",), outage=True).budgets)
    assert Budget("bill", ("bill",), 0) in found
    assert Budget("api", ("api-a", "api-b", "decoy"), 1) in found
    assert Budget("everything", ("api-a", "api-b", "decoy"), 3) in found
    assert looked(("n2",), outage=False).budgets == (), "nobody is asked where nothing is missed"


@pytest.mark.parametrize(
    ("generation", "status", "rolling"),
    [
        (2, {"observedGeneration": 1}, True),
        (2, {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2}, True),
        (2, {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2}, False),
        (2, {"observedGeneration": 2}, False),
        (1, {"observedGeneration": 1, "updateRevision": "b", "currentRevision": "a",
             "updatedReplicas": 1}, True),
        (1, {"observedGeneration": 1, "updateRevision": "a", "currentRevision": "a"}, False),
        (1, {"observedGeneration": 1, "desiredNumberScheduled": 3,
             "updatedNumberScheduled": 2}, True),
    ],
)  # fmt: skip
def test_a_rollout(generation: int, status: dict[str, Any], rolling: bool) -> None:
    item = {"metadata": {"generation": generation}, "spec": {"replicas": 3}, "status": status}
    assert is_rolling(item) is rolling
