"""`harness selftest` on a cluster as a user runs it: nothing is left; and what is, is seen."""

import json
import shlex
from dataclasses import replace

import pytest
from clusters import MODULE, REPOSITORY
from test_runs_on_pods import Place

from harness.experiment.system_file import load_system
from harness.selftest.cluster.ground import on_cluster
from harness.selftest.results import Cell
from harness.selftest.victims import NAMES

NAME = "selftest"
#: With an agent on the node, and by the API server alone.
FAULTS = ("network.latency", "scale.to")
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: none}
spec:
  kubernetes:
    namespace: default
    power: {cut: "SWITCH poweroff {node}", restore: "SWITCH poweron {node}"}
  services:
    none: {workload: deploy/none}
"""
ELSEWHERE = {"mechanism", "supervisor", "keeper", "all", "target", "agent stopped"}


@pytest.fixture
def place(cluster, nodes, tmp_path):
    found = Place(tmp_path, cluster)
    switch = shlex.join(
        ("env", f"PYTHONPATH={REPOSITORY / 'k8s'}", *MODULE, "--name", cluster.name)
    )
    (tmp_path / "system.yaml").write_text(SYSTEM.replace("SWITCH", switch))
    return found


@pytest.mark.timeout(600)
def test_nothing_is_left_behind(place):
    """Each of these faults, each of their steps, and everybody who can be killed."""
    only = [word for fault in FAULTS for word in ("--fault", fault)]
    status, said = place.run(
        "selftest", "--quick", "--system", "system.yaml", "--namespace", NAME, "--seed", "1",
        *only,
        "--output", "console", "--output", "json=selftest.json", timeout_s=550,
    )  # fmt: skip
    print(said)
    report = json.loads((place.path / "selftest.json").read_text())
    assert status == 0, said
    assert report["left_behind"] == 0
    assert report["longest_s"] < 3 * report["deadline_s"]
    assert {shot["cell"]["victim"] for shot in report["shots"]} == set(NAMES) - ELSEWHERE
    steps = {shot["cell"]["step"] for shot in report["shots"]}
    assert {"receipt", "entrusted", "made", "held", "unmade", "gone"} <= steps
    assert NAME not in place.cluster.kubectl("get", "namespaces", "-o", "name")


def test_what_is_left_is_seen(place, tmp_path):
    """Each of these is made by hand at a scratch namespace, and nothing else tells of it. Before, a
    scheduler is down, as a selftest leaves it that is killed while it lets watchers begin anew."""
    place.cluster.node("stop", "cp", "kube-scheduler")
    found = load_system(place.path / "system.yaml").cluster
    there = replace(found, namespace=f"{NAME}-hand", kubeconfig=str(place.cluster.kubeconfig))
    cell = Cell("kubernetes", "network.latency", "", "")
    with (
        on_cluster(there, there.agent.image, tmp_path, 1) as ground,
        ground.place(cell, tmp_path / "run") as scratch,
    ):
        slot, sight = scratch.sight.seen.slot, scratch.sight
        assert scratch.traces(anew=True) == []
        assert list(sight.left()) == []
        kubectl(place, "annotate", "node", slot.node, "harness.dev/hand=1")
        kubectl(place, "cordon", slot.node)
        try:
            inside(place, slot, "server", "ip link add hx7f type veth peer name hx7b")
            inside(place, slot, "asker", "nft add table ip harness_7")
            stop(place, slot, "server")
            found = list(sight.left())
        finally:
            kubectl(place, "uncordon", slot.node)
            kubectl(place, "annotate", "node", slot.node, "harness.dev/hand-")
        for said in (
            "annotation harness.dev/hand on", "cordoned: True", "server: new: hx7f",
            "server: new: hx7b", "asker: new: table ip harness_7", "server: python3 is stopped",
        ):  # fmt: skip
            assert any(said in line for line in found), (said, found)


def kubectl(place, *words):
    place.cluster.kubectl(*words)


def inside(place, slot, app, line):
    """In the network of that pod, from its node."""
    place.cluster.node(
        "exec", slot.node, "nsenter", "-t", pid(place, slot, app), "-n", *line.split()
    )


def stop(place, slot, app):
    place.cluster.node("exec", slot.node, "kill", "-STOP", pid(place, slot, app))


def pid(place, slot, app):
    """Of its server, as the node has it."""
    uid = next(iter(place.cluster.pods(slot.namespace, f"app={app}").values()))["metadata"]["uid"]
    script = f"cd /proc; grep -l {uid} [0-9]*/cgroup | grep -o '^[0-9]*'"
    found = place.cluster.node("exec", slot.node, "sh", "-c", script).split()
    names = (place.cluster.node("exec", slot.node, "cat", f"/proc/{p}/comm") for p in found)
    return next(p for p, name in zip(found, names, strict=False) if name.strip() == "python3")
