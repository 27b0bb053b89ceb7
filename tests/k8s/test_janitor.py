"""What a run whose machine is lost left through the API server: the janitor takes it back."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from clusters import LISTENS, REPOSITORY, until
from test_runs_on_pods import Place

from harness.experiment.system_file import load_system
from harness.substrates.kubernetes import load_job, manifest
from harness.substrates.kubernetes.remains import take_back

SPACE, AGENTS = "janitor", "harness-agents"
BASE = REPOSITORY / "k8s/base"
APP = (
    """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: janitor}
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
LOAD = """
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, namespace: harness, labels: {app.kubernetes.io/name: harness-load}}
spec:
  template:
    spec:
      restartPolicy: Never
      nodeSelector: {kubernetes.io/hostname: NODE}
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: load
          image: reliability-harness-pause
          imagePullPolicy: IfNotPresent
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: janitor}
spec:
  kubernetes: {namespace: janitor}
  services:
    app: {workload: deploy/NAME, port: 8080}
"""


@pytest.fixture
def name(cluster, nodes):
    """Of a node and of the Deployment that lives there."""
    chosen = next(node for node in nodes if node != "cp")
    space = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "janitor", "labels": '
    cluster.kubectl("apply", "-f", "-", given=space + '{"harness.dev/allow": "all"}}}')
    cluster.kubectl("apply", "-f", "-", given=APP.replace("NAME", chosen))
    cluster.kubectl("-n", SPACE, "rollout", "status", f"deploy/{chosen}", "--timeout=60s")
    yield chosen
    cluster.kubectl("delete", "namespace", SPACE)


@pytest.fixture
def account(cluster, name, tmp_path):
    """A kubeconfig of the janitor's ServiceAccount, and nothing of the run's machine."""
    for part in ("namespaces", "accounts", "role-agents", "role-load"):
        cluster.kubectl("apply", "-f", str(BASE / f"{part}.yaml"))
    cluster.kubectl("-n", SPACE, "apply", "-k", str(BASE.parent / "target"))
    token = cluster.kubectl("-n", "harness", "create", "token", "harness", "--duration=1h")
    config = json.loads(Path(cluster.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token.strip()}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    return tmp_path / "kubeconfig"


def test_the_janitor_needs_nothing_of_a_machine_that_is_lost(cluster, name, account, tmp_path):
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


def test_load_that_has_no_workers_is_ended_by_the_janitor(
    cluster, name, account, tmp_path, monkeypatch
):
    """One whose run was killed before they came; where a worker lives, its run is waited for."""
    jobs = {"waits": "nowhere", "works": name}
    for job, node in jobs.items():
        text = LOAD.replace("NAME", job).replace("NODE", node)
        cluster.kubectl("apply", "-f", "-", given=text)
    there = ("-n", "harness", "get", "job")
    try:
        until("one works", lambda: cluster.get(*there[:2], "job/works")["status"].get("ready"), 30)
        (tmp_path / "system.yaml").write_text(SYSTEM.replace("NAME", name))
        mine = load_system(tmp_path / "system.yaml").cluster
        monkeypatch.setenv("HARNESS_KUBECONFIG", str(account))
        assert take_back(mine) == (), "they are young"
        monkeypatch.setattr(load_job, "READY_S", 0.0)
        monkeypatch.setattr(manifest, "MARGIN_S", 0)
        (ended,) = take_back(mine)
        assert ended.taken_back == ("job/harness/waits is deleted",)
        assert cluster.kubectl(*there, "-o", "name").split() == ["job.batch/works"]
    finally:
        cluster.kubectl("-n", "harness", "delete", "job", *jobs, "--ignore-not-found")


def size(cluster, name):
    return cluster.get("-n", SPACE, "deploy", name)["spec"]["replicas"]


def expire(cluster, *chosen):
    """As if nobody had renewed them since."""
    past = json.dumps({"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}})
    for lease in cluster.kubectl("-n", AGENTS, "get", "leases", *chosen, "-o", "name").split():
        cluster.kubectl("-n", AGENTS, "patch", lease, "--type=merge", "-p", past)
