"""Agents that live in their targets, where the cluster forbids privileged pods."""

import json

import pytest
import test_runs_on_pods as on_pods
from clusters import until
from test_runs_on_pods import SPACE, Place, targets  # noqa: F401  a fixture

WAY = "kubernetes: {namespace: SPACE, agent: {way: ephemeral}}"
LATE = "{id: late, at: 1s, for: 6s, fault: network.latency, target: web, delay: 80ms, spare: [dns]}"
LEVEL = "pod-security.kubernetes.io/enforce"


@pytest.fixture
def place(targets, tmp_path):  # noqa: F811
    found = Place(tmp_path, targets)
    system = on_pods.SYSTEM.replace("kubernetes: {namespace: SPACE}", WAY)
    (tmp_path / "system.yaml").write_text(on_pods.written(system))
    return found


def boarders(cluster):
    """Containers of agents in the targets, by whether they run."""
    statuses = [
        status
        for pod in cluster.pods(SPACE, "app=web,!decoy").values()
        for status in pod["status"].get("ephemeralContainerStatuses", ())
    ]
    return ["running" in status["state"] for status in statuses]


def test_a_network_fault_from_within_and_only_an_ended_process_stays(place, targets):  # noqa: F811
    place.experiment(LATE)
    assert "do not look at the red button themselves" in place.run("plan", "experiment.yaml")[1]
    targets.kubectl("delete", "namespace", on_pods.AGENTS, "--ignore-not-found")
    status, said = place.run("run", "experiment.yaml")
    assert status == 0, said  # the kubelet's own probes met it
    effects = place.record()["effects"]
    assert [effect["mechanism"] for effect in effects] == ["nfqueue", "nfqueue"]
    assert all(effect["confirmed"] for effect in effects), said
    assert place.steps().count("gone") == 2
    until("their processes have ended", lambda: boarders(targets) == [False, False], 15)
    lines = (place.path / "reports/last/journal.jsonl").read_text().splitlines()
    receipts = [line for line in map(json.loads, lines) if line["step"] == "receipt"]
    assert all("none can be removed" in json.dumps(receipt) for receipt in receipts)
    assert on_pods.left(targets) == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (on_pods.PAUSE.replace("FOR", "3s"), "cannot reach the pod's processes"),
        (LATE.replace("80ms", "80ms, direction: back"), "cannot be seen what comes in"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(place, fault, why):
    place.experiment(fault)
    status, said = place.run("plan", "experiment.yaml")
    assert status == 2, said
    assert why in " ".join(said.split()), said


def test_pod_security_that_would_refuse_it_is_told_at_plan(place, targets):  # noqa: F811
    place.experiment(LATE)
    targets.kubectl("label", "namespace", SPACE, f"{LEVEL}=baseline")
    try:
        status, said = place.run("plan", "experiment.yaml")
    finally:
        targets.kubectl("label", "namespace", SPACE, f"{LEVEL}-")
    assert status == 2, said
    assert "Pod Security (baseline) refuses" in " ".join(said.split())
