"""Whoever is killed while `network.latency` holds on a pod, nothing is left: the table of it.

Each row is a run of its own on a pod of its own. What is left is looked at from outside the cluster
(`outside`) and, once it answers again, by kubectl. Lines say who was alive when the effect was
gone, and after how many seconds that was: there, on its node, and (from its return) in the cluster.
"""

import json
import os
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from clusters import LISTENS, REPOSITORY, until
from devcluster import layout, power, wiring
from outside import Node, parent
from test_runs_on_pods import Place

SPACE, AGENTS = "kills", "harness-agents"
BASE = REPOSITORY / "k8s/base"
LEASE_S, AND_S = 5, 5
DELAY_S = 0.4
APP = (
    """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: kills}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      nodeSelector: {kubernetes.io/hostname: NAME}
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
"""
    + LISTENS
)
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: kills}
spec:
  kubernetes: {namespace: kills}
  services:
    app: {workload: deploy/NAME, port: 8080}
"""
LATENCY = f"{{id: slow, at: 1s, for: 90s, fault: network.latency, target: app, delay: {DELAY_S}s}}"


@dataclass
class Row:
    """A run that holds its fault on the pod of one node."""

    victim: str
    cluster: object
    node: Node
    place: Place
    pod: dict
    run: object
    before: list

    @property
    def uid(self):
        return self.pod["metadata"]["uid"]

    def effect(self):
        """What is in the pod's network that was not there before."""
        return [line for line in self.node.network(self.uid) if line not in self.before]

    def on_node(self):
        """Whatever is left there, in words."""
        return self.effect() + [f"{pid} {words!r}" for pid, words in self.node.ours().items()]

    def alive(self):
        """Who was still there of those who take back."""
        reapers, agents = self.node.agents()
        there = {"the pod": self.node.pods([self.uid]), "agent": agents, "reaper": reapers}
        return ", ".join(name for name, found in there.items() if found)

    def is_clean(self):
        """Also by the API server's word, once it answers."""
        try:
            return not self.in_cluster() and not self.on_node()
        except (AssertionError, ValueError):
            return False

    def is_slow(self):
        begun = time.monotonic()
        with socket.create_connection((self.pod["status"]["podIP"], 8080), 5):
            return time.monotonic() - begun > DELAY_S / 2

    def in_cluster(self):
        """Objects of ours about this node, cgroups of their pods, annotations of ours."""
        found = self.cluster.get("-n", AGENTS, "jobs,pods,leases")["items"]
        names = [i["metadata"]["name"] for i in found if self._is_mine(i)]
        uids = [i["metadata"]["uid"] for i in found if i["kind"] == "Pod"]
        gone = [] if names else self.node.pods(uids)
        return names + [str(path) for path in gone] + self._annotations()

    def _is_mine(self, item):
        return self.place.run_id() in json.dumps(item["metadata"])

    def _annotations(self):
        app = self.cluster.get("-n", SPACE, "deploy,pods")["items"]
        things = [*app, self.cluster.get("node", self.node.name)]
        marks = [m for t in things for m in t["metadata"].get("annotations", {})]
        return [mark for mark in marks if "harness.dev" in mark]


# ---------------------------------------------------------------- strikes


def harness(row):
    row.run.send_signal(signal.SIGKILL)


def agent(row):
    _killed(row.node.agents()[1])


def agent_pod(row):
    chosen = ("-l", f"harness.dev/run={row.place.run_id()}")
    row.cluster.kubectl("-n", AGENTS, "delete", "pods", *chosen, "--force", "--grace-period=0")


def shim(row):
    _killed({parent(reaper) for reaper in row.node.agents()[0]})


def target_pod(row):
    name = row.pod["metadata"]["name"]
    row.cluster.kubectl("-n", SPACE, "delete", "pod", name, "--force", "--grace-period=0")


def service(name, of=""):
    def strike(row):
        where = of or row.node.name
        there = layout.load(row.cluster.name), where, name
        power.stop(*there)
        return lambda: power.start(*there)

    return strike


def cable(row):
    there = layout.load(row.cluster.name), row.node.name
    wiring.cable(*there, "down")
    return lambda: wiring.cable(*there, "up")


def _killed(pids):
    assert pids, "there is nobody to kill"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


WAVES = (
    {"harness": harness, "agent": agent, "agent pod": agent_pod},
    {"its shim": shim, "target pod": target_pod},
    {"cable": cable, "kubelet": service("kubelet"), "containerd": service("containerd")},
    {"API server": service("kube-apiserver", of="cp")},
)


# ---------------------------------------------------------------- the table


@pytest.fixture(scope="module")
def apps(cluster, nodes):
    workers = [name for name in nodes if name != "cp"][:3]
    space = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kills", "labels": '
    cluster.kubectl("apply", "-f", "-", given=space + '{"harness.dev/allow": "all"}}}')
    cluster.kubectl("apply", "-f", "-", given="---".join(APP.replace("NAME", n) for n in workers))
    yield workers
    cluster.kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.mark.parametrize("wave", WAVES, ids=" and ".join)
def test_whoever_is_killed_nothing_is_left(cluster, apps, tmp_path, wave):
    rows = [started(cluster, tmp_path, *at) for at in zip(wave, apps, strict=False)]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(held, rows))
            lines = list(pool.map(lambda row: struck(row, wave[row.victim]), rows))
    finally:
        for row in rows:
            row.run.kill()
    for victim, alive, effect_s, node_s, cluster_s, status in lines:
        print(
            f"| {victim} | {alive} | {effect_s:.1f} | {node_s:.1f} | {cluster_s:.1f} | {status} |"
        )
        assert max(effect_s, node_s, cluster_s) < 3 * (LEASE_S + AND_S), victim


def started(cluster, folder, victim, name, line=LATENCY, environment=None):
    """A run that is about to hold its fault on the pod of that node."""
    cluster.kubectl("-n", SPACE, "rollout", "status", f"deploy/{name}", "--timeout=60s")
    pod = next(iter(cluster.pods(SPACE, f"app={name}").values()))
    node, place = Node(cluster.name, name), Place(made(folder / name), cluster)
    (place.path / "system.yaml").write_text(SYSTEM.replace("NAME", name))
    place.experiment(line)
    place.environment.update(environment or {})
    before = node.network(pod["metadata"]["uid"])
    return Row(victim, cluster, node, place, pod, place.start("run", "experiment.yaml"), before)


def made(path):
    path.mkdir()
    return path


def held(row):
    row.place.until_held(effects=1, limit_s=120)  # three are begun at once
    assert row.is_slow(), row.victim
    assert row.effect(), "a look that sees nothing now would see nothing left"


def struck(row, strike):
    begun = time.monotonic()
    relieve = strike(row)
    until(f"{row.victim}: no effect", lambda: not row.effect(), 60)
    effect_s, alive = time.monotonic() - begun, row.alive()
    if row.victim == "target pod":  # the run goes on without it
        row.run.send_signal(signal.SIGINT)
    until(f"{row.victim}: nothing on the node", lambda: not row.on_node(), 60)
    node_s = time.monotonic() - begun
    if relieve:
        relieve()
        begun = time.monotonic()  # the node's return
    until(f"{row.victim}: nothing in the cluster", row.is_clean, 90)
    cluster_s = time.monotonic() - begun
    said = row.run.communicate(timeout=60)[0]
    assert "Traceback" not in said
    if row.victim == "harness":
        status, said = row.place.run("recover", "--all")
        assert status == 0, said
    return row.victim, alive, effect_s, node_s, cluster_s, row.run.returncode


# ---------------------------------------------------------------- the machine is lost


@pytest.fixture
def account(cluster, apps, tmp_path):
    """A kubeconfig of the janitor's ServiceAccount, and nothing of the run's machine."""
    for name in ("namespaces", "accounts", "role-agents"):
        cluster.kubectl("apply", "-f", str(BASE / f"{name}.yaml"))
    cluster.kubectl("-n", SPACE, "apply", "-k", str(BASE.parent / "target"))
    token = cluster.kubectl("-n", "harness", "create", "token", "harness", "--duration=1h")
    config = json.loads(Path(cluster.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token.strip()}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    return tmp_path / "kubeconfig"


def test_the_janitor_needs_nothing_of_a_machine_that_is_lost(cluster, apps, account, tmp_path):
    name = apps[1]
    system, place = SYSTEM.replace("NAME", name), Place(tmp_path, cluster)
    (tmp_path / "system.yaml").write_text(system)
    place.experiment("{id: none, at: 1s, for: 90s, fault: scale.to, target: app, replicas: 0}")
    run = place.start("run", "experiment.yaml")
    place.until_held(effects=1)
    assert size(cluster, name) == 0
    janitor = yaml.safe_load((BASE / "janitor.yaml").read_text())
    pod = janitor["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "harness"
    words = (*pod["containers"][0]["args"], "--system", "system.yaml")
    status, said = place.run(*words, "--kubeconfig", str(account))
    assert (status, size(cluster, name)) == (0, 0), said
    assert "holds workload" in said
    run.kill()
    run.communicate(timeout=20)
    shutil.rmtree(tmp_path / "state")
    expire(cluster)
    status, said = place.run(*words, "--kubeconfig", str(account))
    assert (status, size(cluster, name)) == (0, 1), said
    assert f"replicas of deployment/{SPACE}/{name} is 1 again" in said
    assert cluster.get("-n", AGENTS, "leases")["items"] == []


def size(cluster, name):
    return cluster.get("-n", SPACE, "deploy", name)["spec"]["replicas"]


def expire(cluster, *chosen):
    """As if nobody had renewed them since."""
    past = json.dumps({"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}})
    for lease in cluster.kubectl("-n", AGENTS, "get", "leases", *chosen, "-o", "name").split():
        cluster.kubectl("-n", AGENTS, "patch", lease, "--type=merge", "-p", past)
