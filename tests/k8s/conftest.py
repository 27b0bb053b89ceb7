"""One cluster for the whole session, with the shop and probe pods on it.

HARNESS_KUBECONFIG names a cluster to use instead; HARNESS_DEVCLUSTER one of `make cluster` that is
up and stays up, for those who run tests again and again.
"""

import os

import pytest
from clusters import (
    REPOSITORY,
    SHOP,
    Cluster,
    bring_up,
    condition,
    devcluster,
    kubectl,
    until,
    why_not,
)

PROBES = """
apiVersion: v1
kind: Namespace
metadata: {name: probes}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: probe, namespace: probes}
spec:
  selector: {matchLabels: {app: probe}}
  template:
    metadata: {labels: {app: probe}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations: [{operator: Exists}]
      containers:
        - {name: probe, image: reliability-harness-probe, imagePullPolicy: IfNotPresent}
"""


def pytest_collection_modifyitems(items):
    """A test has 300 s; the cluster's programs may have to be built before the first."""
    for item in items:
        item.add_marker(pytest.mark.timeout(300, func_only=True))


@pytest.fixture(scope="session")
def cluster():
    if why := why_not():
        pytest.skip(why)
    kept = os.environ.get("HARNESS_DEVCLUSTER", "")
    if kept:
        path = devcluster(kept, "kubeconfig").stdout.strip()
        yield Cluster(kept, path, kubectl())
        return
    up = bring_up("tests")
    try:
        yield up
    finally:
        if up.name:
            devcluster(up.name, "down")


@pytest.fixture(scope="session")
def nodes(cluster):
    """Its workers with power switches."""
    if not cluster.name:
        pytest.skip("not root" if os.geteuid() else "a given cluster: no power switches")
    return tuple(n["metadata"]["name"] for n in cluster.get("nodes")["items"])


@pytest.fixture(scope="session")
def shop(cluster):
    """scenarios/checkout, all of it Ready."""
    cluster.kubectl("apply", "-k", str(SHOP))
    until("the shop is ready", lambda: is_whole(cluster), 90)
    return cluster


@pytest.fixture(scope="session")
def with_harness(shop):
    """Its nodes have the image of harness itself."""
    if not shop.name:
        pytest.skip("a given cluster: it may not have this image")
    devcluster(shop.name, "images", "--harness", timeout_s=280)
    return shop


@pytest.fixture(scope="session")
def installed(shop):
    """The usual installation. The janitor has no image here: it waits."""
    shop.kubectl("apply", "-k", str(REPOSITORY / "k8s/overlays/namespaced"))
    there = ("-n", "harness", "patch", "cronjob", "janitor")
    shop.kubectl(*there, "-p", '{"spec": {"suspend": true}}')
    return shop


@pytest.fixture(scope="session")
def probes(cluster):
    """A pod with second observers on each node: `cluster.probe(node, "ping", …)`."""
    cluster.kubectl("apply", "-f", "-", given=PROBES)
    cluster.kubectl("-n", "probes", "rollout", "status", "daemonset/probe", "--timeout=60s")
    return cluster


def is_whole(cluster):
    pods = cluster.pods("shop").values()
    apps = sorted(p["metadata"]["labels"]["app"] for p in pods if condition(p, "Ready"))
    return apps == ["api", "api", "cache", "database", "web"] and len(pods) == len(apps)
