"""What `kubectl apply -k` puts on a cluster: Roles, network policies, pods under `restricted`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from clusters import REPOSITORY

from harness.substrates.kubernetes.submitted import job

OVERLAYS = REPOSITORY / "k8s/overlays"
HARNESS, AGENTS = "harness", "harness-agents"


def built(cluster, overlay):
    return list(yaml.safe_load_all(cluster.kubectl("kustomize", str(OVERLAYS / overlay))))


def of_kind(things, *kinds):
    return [thing for thing in things if thing["kind"] in kinds]


def test_only_the_wide_overlay_reaches_beyond_its_namespaces(cluster):
    wide = ("ClusterRole", "ClusterRoleBinding")
    assert of_kind(built(cluster, "namespaced"), *wide) == []
    assert of_kind(built(cluster, "cluster-wide"), *wide)
    for thing in of_kind(built(cluster, "cluster-wide"), "ClusterRole"):
        verbs = {verb for rule in thing["rules"] for verb in rule["verbs"]}
        assert "*" not in verbs
        assert not verbs & {"escalate", "bind", "impersonate"}


@pytest.mark.parametrize("overlay", ["namespaced", "cluster-wide"])
def test_it_is_taken_as_it_is_and_nobody_can_reach_its_pods(installed, overlay):
    given = yaml.safe_dump_all(built(installed, overlay))
    installed.kubectl("apply", "--dry-run=server", "-f", "-", given=given)
    policies = of_kind(built(installed, overlay), "NetworkPolicy")
    closed = {p["metadata"]["namespace"] for p in policies if "ingress" not in p["spec"]}
    assert closed == {HARNESS, AGENTS}


def pods(cluster):
    """Every pod of ours in the harness's namespace: what `submit` starts, and the janitor's."""
    submitted = job("run-x", ("experiment.yaml",), "reliability-harness", 60)
    (janitor,) = of_kind(built(cluster, "namespaced"), "CronJob")
    for each in (submitted, janitor["spec"]["jobTemplate"]):
        spec = each["spec"]["template"]["spec"]
        meta = {"name": "would-it-be-let-in", "namespace": HARNESS}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def test_its_own_pods_are_let_in_under_restricted(installed):
    labels = installed.get("namespace", HARNESS)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in pods(installed):
        admitted(installed, pod)
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert admitted(installed, pod, check=False) == ""


@pytest.mark.parametrize(
    ("fault", "status", "lacks"),
    [
        ("network.latency, target: api, delay: 100ms", 0, ()),
        ("node.cordon, target: node/n1", 2, ("get nodes in the cluster", "patch nodes in the clu")),
    ],
)
def test_its_account_may_what_the_usual_installation_is_for(
    installed, tmp_path, fault, status, lacks
):
    config = json.loads(Path(installed.kubeconfig).read_text())
    token = installed.kubectl("-n", HARNESS, "create", "token", "harness").strip()
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    (tmp_path / "x.yaml").write_text(EXPERIMENT.replace("FAULT", fault))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness.cli.main", "plan", "x.yaml", "--kubeconfig",
         "kubeconfig"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert all(line in done.stderr for line in lacks)


EXPERIMENT = f"""
apiVersion: harness/v1
kind: Experiment
metadata: {{name: installed}}
spec:
  hypothesis: It may.
  system: {REPOSITORY}/scenarios/checkout/system-kubernetes.yaml
  load: {{requests: [{{get: /products}}], entry: web, arrivals: {{requests: 1/s}}, timeout: 1s}}
  timeline: [{{id: x, at: 1s, for: 1s, fault: FAULT}}]
  objectives: []
"""


def admitted(cluster, pod, **options):
    words = ("create", "--dry-run=server", "-o", "name", "-f", "-")
    return cluster.kubectl(*words, given=json.dumps(pod), **options)
