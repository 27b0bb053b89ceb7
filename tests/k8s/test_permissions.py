"""A run as a ServiceAccount that has the Roles of k8s/ and nothing else."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clusters import REPOSITORY
from devcluster import layout

from harness.substrates.kubernetes.permissions import allowed, rules

ACCOUNT = "system:serviceaccount:harness:harness"
OVERLAY = REPOSITORY / "k8s/overlays/namespaced"
SYSTEM = REPOSITORY / "scenarios/checkout/system-kubernetes.yaml"
EXPERIMENT = f"""
apiVersion: harness/v1
kind: Experiment
metadata: {{name: as-the-account}}
spec:
  hypothesis: The Roles of k8s/ are all that a run needs.
  system: {SYSTEM}
  load:
    requests: [{{get: /products}}]
    entry: web
    arrivals: {{requests: 20/s}}
    timeout: 1s
  timeline:
    - {{id: slow, at: 2s, for: 3s, fault: network.latency, target: api, delay: 100ms}}
  objectives: []
"""
# What it tries without having to: the cluster's own identity, and zones.
TRIED = {("", "namespaces", "get", "kube-system"), ("", "nodes", "list", "")}


@pytest.fixture
def account(shop, nodes, tmp_path):
    """A kubeconfig of the harness's ServiceAccount. The janitor has no volume here: it waits."""
    shop.kubectl("apply", "-k", str(OVERLAY))
    there = ("-n", "harness")
    shop.kubectl(*there, "patch", "cronjob", "janitor", "-p", '{"spec": {"suspend": true}}')
    token = shop.kubectl(*there, "create", "token", "harness", "--duration=1h").strip()
    config = json.loads(Path(shop.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def test_a_run_needs_what_the_roles_allow_and_nothing_else(shop, account, tmp_path):
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    begun = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness.cli.main", "run", "experiment.yaml",
         "--kubeconfig", str(account)],
        cwd=tmp_path, env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    asked = asked_by(ACCOUNT, shop.name, begun)
    assert {("", "pods/exec"), ("", "services")} <= {(group, kind) for group, kind, _, _ in asked}
    outside = {one for one in asked if not allowed(place(one[3]), *one[:3])}
    assert outside <= TRIED


def place(namespace):
    where = {"shop": "targets", "harness-agents": "agents"}.get(namespace)
    return rules(where) if where else ()


def asked_by(user, cluster, since):
    """(group, resource/subresource, verb, namespace) of its requests, from the audit log."""
    log = layout.clusters() / cluster / "cp/disk/var/log/audit.log"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    mine = [e for e in events if e["user"]["username"] == user and e["stageTimestamp"] >= since]
    objects = [(e["objectRef"], e["verb"]) for e in mine if "objectRef" in e]
    return {
        (o.get("apiGroup", ""), "/".join(filter(None, (o["resource"], o.get("subresource")))), verb,
         o.get("namespace", ""))
        for o, verb in objects
    }  # fmt: skip
