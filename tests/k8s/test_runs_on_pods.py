"""Runs on pods of a real cluster: effects, refusals, and who takes back when something dies."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clusters import LISTENS, until

SPACE = "pods-under-test"
POD = (
    """\
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {app: web}}
"""
    + LISTENS
)
TARGETS = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: SPACE, labels: {{harness.dev/allow: all}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: SPACE}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
{POD}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: decoy, namespace: SPACE}}
spec:
  selector: {{matchLabels: {{app: web, decoy: "yes"}}}}
  template:
    metadata: {{labels: {{app: web, decoy: "yes"}}}}
    spec:
{POD}
"""
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: pods}
spec:
  kubernetes: {namespace: SPACE}
  services:
    web: {workload: deploy/web, port: 8080}
"""
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {name: pods}
spec:
  hypothesis: What is done to pods is undone.
  system: system.yaml
  settle: 1s
  timeline: [TIMELINE]
  objectives: []
"""
PAUSE = "{id: stop, at: 1s, for: FOR, fault: process.pause, target: web}"
AGENTS = "harness-agents"


def written(text):
    return text.replace("SPACE", SPACE)


class Place:
    """A directory with the files, and commands in it."""

    def __init__(self, path, cluster):
        self.path, self.cluster = path, cluster
        self.environment = {
            **os.environ, "HARNESS_KUBECONFIG": str(cluster.kubeconfig),
            "XDG_STATE_HOME": str(path / "state"),
        }  # fmt: skip
        (path / "system.yaml").write_text(written(SYSTEM))

    def experiment(self, *lines):
        text = EXPERIMENT.replace("TIMELINE", ", ".join(lines))
        (self.path / "experiment.yaml").write_text(text)

    def start(self, *words):
        return subprocess.Popen(
            [sys.executable, "-m", "harness.cli.main", *words], cwd=self.path, text=True,
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *words, timeout_s=90):
        """Exit status and everything it said."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=timeout_s)
        assert "Traceback" not in said
        return process.returncode, said

    def steps(self):
        path = self.path / "reports/last/journal.jsonl"
        lines = path.read_text().splitlines() if path.exists() else ()
        return [json.loads(line)["step"] for line in lines]

    def record(self):
        return json.loads((self.path / "reports/last/report.json").read_text())

    def run_id(self):
        return (self.path / "reports/last").readlink().name

    def until_held(self, effects=2, limit_s=60):
        until("the fault is held", lambda: self.steps().count("injected") == effects, limit_s)


@pytest.fixture(scope="session")
def targets(cluster):
    cluster.kubectl("apply", "-f", "-", given=written(TARGETS))
    for name in ("web", "decoy"):
        cluster.kubectl("-n", SPACE, "rollout", "status", f"deploy/{name}", "--timeout=60s")
    yield cluster
    cluster.kubectl("delete", "namespace", SPACE, "--wait=false", "--ignore-not-found")


@pytest.fixture
def place(targets, tmp_path):
    targets.kubectl("-n", SPACE, "rollout", "status", "deploy/web", "--timeout=60s")
    yield Place(tmp_path, targets)
    until("nothing of ours is left", lambda: left(targets) == [], 30)


def left(cluster):
    kinds = "jobs,pods,leases"
    said = cluster.kubectl("-n", AGENTS, "get", kinds, "-o", "name", check=False).split()
    return [name for name in said if "harness-agent" in name or "target-" in name]


def names(cluster, app):
    chosen = "app=web,decoy" if app == "decoy" else "app=web,!decoy"
    return sorted(cluster.pods(SPACE, chosen))


def states(cluster, app):
    """The states of all processes of these pods, as their own /proc shows them."""
    look = "grep -ho ') [A-Z]' /proc/[1-9]*/stat"
    return [
        cluster.kubectl("-n", SPACE, "exec", name, "--", "sh", "-c", look).split()
        for name in names(cluster, app)
    ]


def stopped(cluster, app="web"):
    return ["T" in found for found in states(cluster, app)]


def test_a_pause_stops_its_pods_and_no_others(place, targets):
    place.experiment(PAUSE.replace("FOR", "20s"))
    run = place.start("run", "experiment.yaml")
    place.until_held()
    until("both stand still", lambda: stopped(targets) == [True, True], 10)
    assert stopped(targets, "decoy") == [False]
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert all(effect["confirmed"] for effect in place.record()["effects"])
    assert stopped(targets) == [False, False]


def test_agents_see_the_red_button_themselves(place, targets):
    """The harness is stopped, so that it cannot have been what acted."""
    place.experiment(PAUSE.replace("FOR", "60s"))
    run = place.start("run", "experiment.yaml")
    place.until_held()
    run.send_signal(signal.SIGSTOP)
    targets.kubectl("annotate", "namespace", SPACE, "harness.dev/halt=now")
    try:
        took = until("all pods run again", lambda: stopped(targets) == [False, False], 6)
        run.send_signal(signal.SIGCONT)
        said, _ = run.communicate(timeout=30)
        assert run.returncode == 4, said
        for log in (place.path / "reports/last").glob("agent-*.log"):
            assert "took everything back: harness.dev/halt=now" in log.read_text(), took
        status, said = place.run("plan", "experiment.yaml")
        assert status == 2
        assert "halted" in said
    finally:
        targets.kubectl("annotate", "namespace", SPACE, "harness.dev/halt-")


def test_a_second_run_is_refused_with_the_holders_name(place, targets, tmp_path):
    place.experiment(PAUSE.replace("FOR", "60s"))
    run = place.start("run", "experiment.yaml")
    place.until_held()
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other", targets)
    other.experiment(PAUSE.replace("FOR", "3s"))
    status, said = other.run("run", "experiment.yaml")
    assert status == 2, said
    assert "is held by" in said
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 4, said


def test_a_killed_pod_comes_back_and_a_signal_is_witnessed(place, targets):
    place.experiment("{id: dead, at: 1s, fault: process.kill, target: web, pick: one}")
    status, said = place.run("run", "experiment.yaml")
    assert status == 0, said
    assert all(effect["confirmed"] for effect in place.record()["effects"])
    until("both are ready", lambda: len(ready(targets)) == 2, 30)
    restarts = [p["status"]["containerStatuses"][0]["restartCount"] for p in ready(targets)]
    assert sum(restarts) >= 1


def ready(cluster):
    found = cluster.pods(SPACE, "app=web,!decoy").values()
    return [p for p in found if all(c["ready"] for c in p["status"]["containerStatuses"])]


def test_latency_between_pods_is_seen_from_a_pod(place, targets, probes):
    address = next(iter(ready(targets)))["status"]["podIP"]
    place.experiment(
        "{id: slow, at: 1s, for: 8s, fault: network.latency, target: web, delay: 120ms, spare: []}"
    )
    before = round_trip_ms(probes, address)
    run = place.start("run", "experiment.yaml")
    place.until_held()
    during = round_trip_ms(probes, address)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert 110 < during - before < 240, (before, during)
    assert round_trip_ms(probes, address) < before + 60
    assert all(effect["confirmed"] for effect in place.record()["effects"])


def round_trip_ms(probes, address):
    """The median of pings from the probe pod of n3, where no target has to be."""
    said = probes.probe("n3", "ping", "-c", "7", "-i", "0.2", address)
    times = sorted(float(t) for t in re.findall(r"time=([0-9.]+)", said))
    return times[len(times) // 2]


NODE_PORT = """
apiVersion: v1
kind: Service
metadata: {name: door, namespace: SPACE}
spec: {type: NodePort, selector: {pod-template-hash: HASH}, ports: [{port: 80, targetPort: 8080}]}
"""


def test_a_cut_spares_lookups_and_kubelets_probes_until_it_is_told_not_to(place, targets, probes):
    """Both come from where the load through the NodePort comes from: the pod's own node."""
    pods = targets.pods(SPACE, "app=web,!decoy")
    doors = doors_to(targets, pods)
    place.experiment(
        "{id: cut, at: 1s, for: 12s, fault: network.partition, target: web}",
        "{id: whole, at: 15s, for: 9s, fault: network.partition, target: web, spare: []}",
    )
    assert "TTL 64) to port 8080" in place.run("plan", "experiment.yaml")[1]
    until("they answer", lambda: all(map(answers, doors)), 20)
    run = place.start("run", "experiment.yaml")
    place.until_held(2)
    held = time.monotonic()
    first = deadlines(targets)
    assert "bytes from" not in pings(probes, pods)
    assert resolves(targets, min(pods))
    while time.monotonic() < held + 6.0:  # a probe each second, and the third that fails counts
        assert not any(map(answers, doors))
    assert len(ready(targets)) == 2
    assert "reverting" not in place.steps(), "it took too long to look"
    place.until_held(4)
    until("their agents may live longer", lambda: deadlines(targets) > first, 16)
    assert max(deadlines(targets)) < 12 + 60 + 45, "the longest fault, a margin, its age"
    until("kubelets are cut off as well", lambda: ready(targets) == [], 8)
    assert not resolves(targets, min(pods))
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert all(effect["confirmed"] for effect in place.record()["effects"])
    until("both are ready again", lambda: len(ready(targets)) == 2, 20)


def deadlines(cluster):
    """Of the Jobs of agents, in seconds from their start."""
    found = cluster.get("-n", AGENTS, "jobs")["items"]
    return sorted(job["spec"]["activeDeadlineSeconds"] for job in found)


def doors_to(cluster, pods):
    """The NodePort of each pod's own node."""
    by_hash = {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods.values()}
    cluster.kubectl("apply", "-f", "-", given=written(NODE_PORT).replace("HASH", *by_hash))
    port = cluster.get("-n", SPACE, "service", "door")["spec"]["ports"][0]["nodePort"]
    return [(cluster.address(pod["spec"]["nodeName"]), port) for pod in pods.values()]


def answers(door):
    try:
        socket.create_connection(door, timeout=0.5).close()
    except OSError:
        return False
    return True


def pings(probes, pods):
    """What is said to a ping of each, from n3."""
    asked = [f"ping -c 2 -W 1 {pod['status']['podIP']} &" for pod in pods.values()]
    return probes.probe("n3", "sh", "-c", " ".join((*asked, "wait")), check=False)


def resolves(cluster, pod):
    ask = "import socket; socket.gethostbyname('kubernetes.default.svc.cluster.local')"
    there = ("-n", SPACE, "exec", pod, "--", "timeout", "3", "python3", "-c", ask)
    try:
        cluster.kubectl(*there)
    except AssertionError:
        return False
    return True


# ---------------------------------------------------------------- wrong things


def refused(place, system="", **changes):
    text = written(system or SYSTEM)
    for old, new in changes.items():
        text = text.replace(old, new)
    (place.path / "system.yaml").write_text(text)
    place.experiment(PAUSE.replace("FOR", "3s"))
    return place.run("plan", "experiment.yaml")


def test_a_namespace_that_does_not_exist(place):
    status, said = refused(place, **{f"namespace: {SPACE}": "namespace: nowhere"})
    assert status == 2
    assert "no namespace 'nowhere'" in said


def test_a_workload_that_does_not_exist(place):
    status, said = refused(place, **{"deploy/web": "deploy/wob"})
    assert status == 2
    assert "has no deployment/wob" in said


def test_a_context_that_does_not_exist(place):
    status, said = refused(place, **{"kubernetes: {": "kubernetes: {context: prod, "})
    assert status == 2
    assert "no context 'prod'" in said
    assert "it has:" in said


def test_another_cluster_than_the_pinned_one(place):
    status, said = refused(place, **{"kubernetes: {": "kubernetes: {uid: other, "})
    assert status == 2
    assert "pinned to the cluster other" in said


def test_a_namespace_of_the_cluster_itself(place):
    status, said = refused(place, **{f"namespace: {SPACE}": "namespace: kube-system"})
    assert status == 2
    assert "belongs to the cluster itself" in said


def test_a_namespace_whose_owner_has_not_allowed_it(place, targets):
    targets.kubectl("label", "namespace", SPACE, "harness.dev/allow=network", "--overwrite")
    try:
        status, said = refused(place)
        assert status == 2
        assert f"harness allow {SPACE}" in said
        assert place.run("allow", SPACE)[0] == 0
        assert place.run("plan", "experiment.yaml")[0] == 0
    finally:
        targets.kubectl("label", "namespace", SPACE, "harness.dev/allow=all", "--overwrite")


def test_labels_that_match_nothing(place):
    place.experiment("{id: x, at: 1s, for: 3s, fault: process.pause, labels: app=nothing}")
    status, said = place.run("plan", "experiment.yaml")
    assert status == 2
    assert "selects nothing" in said


def test_an_image_that_is_missing_ends_as_invalid(place):
    text = "{namespace: SPACE, agent: {image: no-such-image.invalid/agent:1}}"
    system = SYSTEM.replace("{namespace: SPACE}", text)
    (place.path / "system.yaml").write_text(written(system))
    place.experiment(PAUSE.replace("FOR", "3s"))
    begun = time.monotonic()
    status, said = place.run("run", "experiment.yaml")
    assert status == 6, said
    assert "no-such-image" in said
    assert "kubernetes.agent.image" in said
    assert time.monotonic() - begun < 75


def test_a_server_that_is_not_there_ends_as_invalid(place, targets):
    text = Path(targets.kubeconfig).read_text()
    elsewhere = place.path / "kubeconfig"
    elsewhere.write_text(re.sub(r"https://[0-9.]+:\d+", "https://127.0.0.1:9", text))
    place.experiment(PAUSE.replace("FOR", "3s"))
    status, said = place.run("plan", "experiment.yaml", "--kubeconfig", str(elsewhere))
    assert status == 6, said
    assert "127.0.0.1:9" in said


def test_the_kubeconfig_is_never_written(place, targets):
    before = Path(targets.kubeconfig).read_bytes()
    place.experiment(PAUSE.replace("FOR", "3s"))
    assert place.run("plan", "experiment.yaml")[0] == 0
    assert Path(targets.kubeconfig).read_bytes() == before
