"""Every file of experiments/kubernetes comes to what it teaches, on a real cluster."""

import os
import subprocess
import sys

import pytest
from clusters import REPOSITORY, until
from conftest import is_whole

FILES = REPOSITORY / "experiments/kubernetes"
PASS, FAIL = 0, 1
LESSONS = {
    "checkout-survives-slow-database": (PASS, ""),
    "checkout-survives-a-deleted-pod": (PASS, ""),
    "checkout-survives-a-dead-node": (PASS, ""),
    "checkout-survives-a-cut-zone": (PASS, ""),
    "checkout-survives-a-bad-image": (PASS, ""),
    "checkout-survives-a-drained-node": (PASS, ""),
    "checkout-fails-while-the-database-restarts": (
        FAIL,
        "FAIL availability >= 99.9% during killed",
    ),
}


def test_each_file_is_tried():
    assert {file.stem for file in FILES.glob("*.yaml")} == set(LESSONS)


@pytest.mark.parametrize("name", LESSONS)
def test_it_comes_to_what_it_teaches(shop, nodes, name, tmp_path):
    """A busy machine may spoil a run; that is about the test, and it is tried once more."""
    status, because = LESSONS[name]
    until("the shop is whole", lambda: is_whole(shop), 120)
    spread(shop)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness.cli.main", "run", FILES / f"{name}.yaml",
         "--kubeconfig", shop.kubeconfig, "--retry-invalid", "1"],
        cwd=tmp_path, env=environment(shop, tmp_path), capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    assert because in done.stdout


def spread(shop):
    """An API pod in each of its two zones, as they are placed when they come together."""
    apis = [p for p in shop.pods("shop").values() if p["metadata"]["labels"]["app"] == "api"]
    if len({p["spec"]["nodeName"] for p in apis}) == len(apis):
        return
    for size in (0, 2):
        shop.kubectl("-n", "shop", "scale", "deploy/api", f"--replicas={size}")
        shop.kubectl("-n", "shop", "rollout", "status", "deploy/api", "--timeout=60s")
    until("the shop is whole", lambda: is_whole(shop), 120)


def environment(shop, place):
    return {**os.environ, "HARNESS_DEVCLUSTER": shop.name, "XDG_STATE_HOME": str(place / "state")}
