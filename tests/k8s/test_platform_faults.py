"""Faults of the cluster's own things, made by `harness run`, and seen by kubectl meanwhile."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import psutil
import pytest
from clusters import ENVIRONMENT, MODULE, condition, until

from harness.agent.effects import Cordoned, Node, PoweredOff
from harness.capabilities import HandsError
from harness.substrates.kubernetes.api import Api
from harness.substrates.kubernetes.connection import connect
from harness.substrates.kubernetes.nodes import Nodes
from harness.substrates.kubernetes.pods import Pods
from harness.substrates.kubernetes.power import Power

NAMESPACE = "platform-faults"
APP = """
apiVersion: v1
kind: Namespace
metadata: {name: platform-faults, labels: {harness.dev/allow: all}}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: platform-faults}
spec:
  type: NodePort
  selector: {app: app}
  ports: [{name: http, port: 8000, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: platform-faults}
spec:
  replicas: 3
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          nodeTaintsPolicy: Honor
          labelSelector: {matchLabels: {app: app}}
      containers:
        - name: app
          image: reliability-harness-checkout
          imagePullPolicy: IfNotPresent
          command: [python3, -m, http.server, "8000"]
          ports: [{name: http, containerPort: 8000}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1, failureThreshold: 2}
"""
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {{name: platform, owner: tests}}
spec:
  hypothesis: What is done is seen, and taken back.
  system: system.yaml
  load:
    entry: app
    requests: [{{get: /}}]
    arrivals: {{requests: 20/s}}
    warmup: 1s
    timeout: 2s
  timeline:
{timeline}
  settle: 3s
  guard:
    blast_radius:
      namespaces: [platform-faults, shop, kube-system, pods-under-test]  # of other tests, too
      budgets: [api]
  objectives: []
"""
TIMELINE = """
    - {id: kill, at: 3s, fault: container.kill, target: app, pick: one}
    - {id: delete, at: 10s, fault: pod.delete, target: app, pick: one}
    - {id: scale, at: 15s, for: 6s, fault: scale.to, target: app, replicas: 1}
    - {id: image, at: 27s, for: 5s, fault: rollout.bad_image, target: app}
    - {id: cordon, at: 37s, for: 3s, fault: node.cordon, target: node/n2}
    - {id: drain, at: 43s, for: 5s, fault: node.drain, target: node/n2, grace: 1s}
"""
HELD = """
    - {id: image, at: 1s, for: 90s, fault: rollout.bad_image, target: app}
    - {id: cordon, at: 2s, for: 90s, fault: node.cordon, target: node/n2}
    - {id: one, at: 3s, for: 90s, fault: node.down, target: node/n1}
    - {id: other, at: 3s, for: 90s, fault: node.down, target: node/n3}
"""
SAMPLED_S = 0.4


@pytest.fixture(scope="module")
def place(cluster, nodes, tmp_path_factory):
    """A directory with a System file; its deployment is whole."""
    cluster.kubectl("apply", "-f", "-", given=APP)
    found = tmp_path_factory.mktemp("platform")
    switch = " ".join([*MODULE, "--name", cluster.name])
    power = f'{{cut: "{switch} poweroff {{node}}", restore: "{switch} poweron {{node}}"}}'
    (found / "system.yaml").write_text(
        "apiVersion: harness/v1\nkind: System\nmetadata: {name: app}\nspec:\n"
        f"  kubernetes:\n    namespace: {NAMESPACE}\n    power: {power}\n"
        "  services:\n    app: {workload: deploy/app, port: 8000}\n"
    )
    yield found
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def whole(cluster):
    pods = cluster.pods(NAMESPACE).values()
    where = {p["spec"].get("nodeName") for p in pods}
    return len(pods) == len(where) == 3 and all(condition(p, "Ready") for p in pods)


def started(cluster, place, timeline):
    for size in (0, 3):  # anew, so that they are spread evenly
        cluster.kubectl("-n", NAMESPACE, "scale", "deploy/app", f"--replicas={size}")
        until(f"{size} pods", lambda size=size: len(cluster.pods(NAMESPACE)) == size, 30)
    until("three pods on three nodes", lambda: whole(cluster), 60)
    (place / "experiment.yaml").write_text(EXPERIMENT.format(timeline=timeline))
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "run", "experiment.yaml", "--reports",
         str(place / "runs"), "--kubeconfig", str(cluster.kubeconfig)],
        cwd=place, env={**ENVIRONMENT, "XDG_STATE_HOME": str(place / "state")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def report(place):
    latest = max((place / "runs").glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(latest.read_text())


class Sampler(threading.Thread):
    """What kubectl says while something goes on."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.over = cluster, threading.Event()
        self.replicas, self.images, self.cordoned = set(), set(), set()

    def run(self):
        while not self.over.wait(SAMPLED_S):
            spec = self.cluster.get("-n", NAMESPACE, "deploy", "app")["spec"]
            self.replicas.add(spec["replicas"])
            self.images.add(spec["template"]["spec"]["containers"][0]["image"])
            node = self.cluster.get("node", "n2")
            self.cordoned.add(bool(node["spec"].get("unschedulable")))


def test_each_is_confirmed_seen_by_kubectl_and_taken_back(cluster, place):
    running = started(cluster, place, TIMELINE)
    sampler = Sampler(cluster)
    sampler.start()
    said = running.communicate(timeout=200)[0]
    sampler.over.set()
    sampler.join(10)
    assert running.returncode == 0, said
    effects = {e["intervention"]: e for e in report(place)["effects"]}
    assert set(effects) == {"kill", "delete", "scale", "image", "cordon", "drain"}
    assert all(e["confirmed"] and not e["left_behind"] for e in effects.values()), said
    counted = {name for name, e in effects.items() if not e["exercised"]["unknown"]}
    assert counted == {"kill", "delete"}, "only agents hear who calls"
    assert "exercised: not measurable, a cordon turns pods away" in " ".join(said.split())
    assert sampler.replicas == {1, 3}
    assert sampler.images == {"reliability-harness-checkout", "harness.invalid/no-such-image:1"}
    assert sampler.cordoned == {True, False}
    assert cluster.get("-n", NAMESPACE, "deploy", "app")["spec"]["replicas"] == 3
    assert image_of(cluster) == "reliability-harness-checkout"
    assert "unschedulable" not in cluster.get("node", "n2")["spec"]
    saw_it_all(report(place))


def image_of(cluster):
    spec = cluster.get("-n", NAMESPACE, "deploy", "app")["spec"]
    return spec["template"]["spec"]["containers"][0]["image"]


def saw_it_all(record):
    """The cluster's own story of the same faults, on the time axis of the run."""
    seen = {}
    for one in record["cluster"]:
        seen.setdefault((one["kind"], one["name"]), []).append(one)
    effects = {effect["intervention"]: effect for effect in record["effects"]}
    deleted = seen["pod", effects["delete"]["target"].rpartition("/")[2]]
    acted = effects["delete"]["injected_at_s"]
    assert [one["state"] for one in deleted if one["at_s"] > acted - 1][:1] == ["leaving"]
    assert deleted[-1]["state"] == "absent"
    states = [one["state"] for one in seen["workload", "deployment/app"]]
    assert {"short", "whole"} <= set(states)
    assert "cordoned" in {one["state"] for one in seen["node", "n2"]}
    assert "Killing" in {
        o["state"] for (kind, _), them in seen.items() if kind == "event" for o in them
    }
    views = {r["intervention"]: r["controllers_say"] for r in record["recoveries"]}
    assert "deployment/app" in views["delete"]


def answers(cluster, node):
    try:
        socket.create_connection((cluster.address(node), 10250), 0.5).close()
    except OSError:
        return False
    return True


def test_what_a_lost_machine_held_is_taken_back_by_its_switch_and_by_leases(cluster, place):
    """One node has power again by a process that outlives the harness. That of the other dies with
    it, as all would with their machine: it, a release and a cordon are known to Leases alone."""
    running = started(cluster, place, HELD)
    try:
        off = lambda: not answers(cluster, "n1") and not answers(cluster, "n3")  # noqa: E731
        until("both are off", lambda: running.poll() is not None or off(), 60)
        assert running.poll() is None, running.communicate()[0]
        switches = {p.cmdline()[-1]: p for p in psutil.Process(running.pid).children()
                    if "poweron" in p.cmdline()}  # fmt: skip
        switches["n1"].kill()
        os.kill(running.pid, signal.SIGKILL)
        running.communicate(timeout=10)
        until("n3 has power again", lambda: answers(cluster, "n3"), 30)
    finally:
        running.kill()
    assert not answers(cluster, "n1"), "its switch is dead"
    assert cluster.get("node", "n2")["spec"]["unschedulable"]
    told = []
    until("its Leases have expired", lambda: is_told(told, recovered(place, cluster)), 60)
    until("n1 and n3 are ready", lambda: all(map(cluster.is_ready, ("n1", "n3"))), 60)
    assert image_of(cluster) == "reliability-harness-checkout"
    assert "unschedulable" not in cluster.get("node", "n2")["spec"]


def test_a_node_that_does_not_answer_is_neither_cut_nor_switched_on(cluster, nodes):
    """Its power is not known, and so nobody could say what is to be given back."""
    api = Api(connect("", str(cluster.kubeconfig)).configuration)
    hands = Nodes(api, Pods(api, NAMESPACE), Power("false {node}", "false {node}"), None)
    n3 = Node("node/n3")
    before = hands.settings(n3)
    assert before == {"unschedulable": "false", "power": "on"}
    cluster.node("stop", "n3", "kubelet")
    try:
        with pytest.raises(HandsError, match="whether it has power") as refused:
            hands.make(n3, hands.settings(n3), {PoweredOff: PoweredOff()})
        assert refused.value.target_gone
        hands.make(n3, before, {Cordoned: Cordoned()})
        assert cluster.get("node", "n3")["spec"]["unschedulable"]
        hands.make(n3, before, {})  # nor is the end of a cordon held up by it
        assert "unschedulable" not in cluster.get("node", "n3")["spec"]
    finally:
        cluster.node("start", "n3", "kubelet")
    until("n3 answers", lambda: answers(cluster, "n3"), 30)


def is_told(told, said):
    told.append(said)
    back = ("power of node/n1 is on again", "unschedulable of node/n2 is false again",
            "is reliability-harness-checkout again")  # fmt: skip
    return all(line in "".join(told) for line in back)


def recovered(place, cluster):
    """What `recover` says on a machine that knows nothing of the run."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "recover", "--expired",
         "--system", str(place / "system.yaml")],
        cwd=place, text=True, capture_output=True, check=False, timeout=60,
        env={**ENVIRONMENT, "XDG_STATE_HOME": str(place / "elsewhere"),
             "HARNESS_KUBECONFIG": str(cluster.kubeconfig)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
