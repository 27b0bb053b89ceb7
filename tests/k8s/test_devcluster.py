"""The cluster that the other tests stand on: it is real, its nodes break, and it leaves nothing."""

import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from clusters import ENVIRONMENT, MODULE, REPOSITORY, devcluster, until, why_not
from conftest import is_whole
from devcluster import layout

# Deadlines that are promised or configured, held to at three times their value.
NOT_READY_S, READY_AGAIN_S, REPLACED_S, DOWN_S = 3 * 13, 3 * 9, 3 * 25, 3 * 3
ZONE = "topology.kubernetes.io/zone"


def test_nodes_are_ready_in_three_zones(cluster, nodes):
    found = {n["metadata"]["name"]: n for n in cluster.get("nodes")["items"]}
    assert all(cluster.is_ready(name) for name in nodes)
    assert [found[n]["metadata"]["labels"][ZONE] for n in ("n1", "n2", "n3")] == ["a", "b", "c"]
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in found.values()} == {"v1.34.4"}


FETCH = """
import urllib.request
with urllib.request.urlopen("http://web.shop/products", timeout=5) as answer:
    print(len(answer.read()))
"""


def test_pods_find_services_by_name_from_every_node(shop, probes, nodes):
    for node in nodes:
        assert int(probes.probe(node, "python3", "-c", FETCH)) > 1000
        assert products(shop.address(node)) > 1000


def test_replicas_of_the_api_live_in_two_zones(shop):
    at = {p["spec"]["nodeName"] for p in shop.pods("shop", "app=api").values()}
    assert at == {"n1", "n2"}


def test_a_node_that_is_powered_off_is_gone_at_once_and_comes_back(shop, nodes):
    before = shop.pods("shop", "app=api")
    on_n2 = next(name for name, pod in before.items() if pod["spec"]["nodeName"] == "n2")
    shop.node("poweroff", "n2")
    try:
        assert not answers(shop.address("n2"))
        until("n2 not ready", lambda: not shop.is_ready("n2"), NOT_READY_S)
        until("the pod is replaced elsewhere", lambda: moved(shop, on_n2), REPLACED_S)
    finally:
        shop.node("poweron", "n2")
    until("n2 ready", lambda: shop.is_ready("n2"), READY_AGAIN_S)
    until("the shop is whole", lambda: is_whole(shop), REPLACED_S)
    shop.kubectl("-n", "shop", "rollout", "restart", "deploy/api")
    shop.kubectl("-n", "shop", "rollout", "status", "deploy/api", "--timeout=60s")


def moved(shop, gone):
    now = shop.pods("shop", "app=api")
    return (
        gone not in now
        and len(now) == 2
        and {p["spec"]["nodeName"] for p in now.values()} & {"n1", "n3"}
    )


def test_a_cable_that_is_pulled_leaves_the_node_running(shop, nodes):
    shop.node("cable", "n3", "down")
    try:
        assert not answers(shop.address("n3"))
        assert "postgres" in shop.node("exec", "n3", "ps", "-eo", "comm")
    finally:
        shop.node("cable", "n3", "up")
    until("n3 answers", lambda: answers(shop.address("n3")), 10)
    until("n3 ready", lambda: shop.is_ready("n3"), READY_AGAIN_S)


def test_a_service_is_stopped_and_started(shop, nodes):
    shop.node("stop", "n1", "kubelet")
    try:
        assert "kubelet" not in shop.node("exec", "n1", "ps", "-eo", "comm").split()
        until("n1 not ready", lambda: not shop.is_ready("n1"), NOT_READY_S)
        assert products(shop.address("n1")) > 1000
    finally:
        shop.node("start", "n1", "kubelet")
    until("n1 ready", lambda: shop.is_ready("n1"), READY_AGAIN_S)


def test_what_dies_is_started_again(shop, nodes):
    """The API server too; the shop does not notice."""
    door = shop.address("n1")
    shop.node("exec", "cp", "pkill", "-9", "kube-apiserver")
    assert products(door) > 1000
    until(
        "API server back", lambda: "ok" in shop.kubectl("get", "--raw", "/readyz", check=False), 30
    )


@pytest.mark.parametrize(
    "words", [("poweroff", "n9"), ("stop", "n1", "sshd"), ("cable", "n1", "x")]
)
def test_what_is_not_there_is_said(cluster, nodes, words):
    done = devcluster(cluster.name, *words, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("devcluster: ")
    assert "Traceback" not in done.stderr


def test_nothing_is_left(cluster, nodes):
    """Neither of a cluster that was taken down, nor of one whose `up` was killed halfway."""
    before = settings()
    devcluster("leftovers", "up", "--workers", "1")
    known = layout.load("leftovers")
    assert len(traces(known)) > 10
    assert "is up already" in devcluster("leftovers", "up").stderr
    begun = time.monotonic()
    devcluster("leftovers", "down")
    assert time.monotonic() - begun < DOWN_S
    assert (traces(known), settings()) == ([], before)

    up = subprocess.Popen([*MODULE, "--name", "leftovers", "up"], env=ENVIRONMENT, cwd=REPOSITORY)
    until("its nodes are on", lambda: "devcluster.init leftovers n2" in processes(), 60)
    up.send_signal(signal.SIGKILL)
    up.wait()
    known = layout.load("leftovers")
    devcluster("leftovers", "down")
    assert (traces(known), settings()) == ([], before)


def test_the_kubeconfig_that_is_named_is_the_cluster(tmp_path):
    given = tmp_path / "kubeconfig"
    environment = {**ENVIRONMENT, "HARNESS_KUBECONFIG": str(given)}
    missing = subprocess.run(
        [*MODULE, "up"], env=environment, capture_output=True, text=True, check=False
    )
    assert (missing.returncode, missing.stderr) == (
        1, f"devcluster: HARNESS_KUBECONFIG={given}: there is no such file\n"
    )  # fmt: skip
    given.touch()
    done = subprocess.run(
        [*MODULE, "up"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"export HARNESS_KUBECONFIG={given}\n"
    assert f"cluster: given (HARNESS_KUBECONFIG is {given})" in done.stderr


@pytest.mark.skipif(bool(why_not()) or os.geteuid() != 0, reason=why_not() or "not root")
def test_an_ordinary_user_is_told_what_to_do():
    done = subprocess.run(
        ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", *PLAIN, "up"],
        env={"PYTHONPATH": str(REPOSITORY / "k8s"), "HOME": "/tmp", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs root" in done.stderr


PLAIN = ("/usr/bin/python3", "-m", "devcluster")


def answers(address):
    """A node, by ping."""
    done = subprocess.run(["ping", "-c", "1", "-W", "1", address], capture_output=True, check=False)
    return done.returncode == 0


def products(address):
    with urllib.request.urlopen(f"http://{address}:30080/products", timeout=5) as answer:
        return len(answer.read())


def processes():
    return told("ps", "-eo", "args")


def told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def traces(known):
    """All that a cluster could leave on this machine."""
    told_of = (processes(), Path("/proc/self/mountinfo").read_text(), told("ip", "route"))
    marks = ("devcluster.init leftovers", "clusters/leftovers", f"dev {known.link}")
    lines = [
        line for text in told_of for line in text.splitlines() if any(m in line for m in marks)
    ]
    places = [
        known.state, Path("/sys/class/net", known.link),
        *Path("/sys/fs/cgroup").glob(f"*/{known.link}"),
    ]  # fmt: skip
    claims = [c for c in Path("/run/harness-devcluster").iterdir() if c.readlink() == known.state]
    return [*lines, *(str(p) for p in places if p.exists()), *map(str, claims)]


def settings():
    """That a kubelet would change for the whole machine."""
    names = ("kernel/panic", "vm/overcommit_memory", "net/ipv4/ip_forward")
    return [Path("/proc/sys", name).read_text() for name in names]
