"""`harness doctor` on a cluster: what it finds is so, and its probe pods are gone when it is."""

import json
import re
import signal

from clusters import until
from test_runs_on_pods import AGENTS, SPACE, left, place, targets

__all__ = ["place", "targets"]  # fixtures


def test_a_cluster_is_looked_over(place, targets):
    status, said = place.run("doctor", "--system", "system.yaml")
    assert status == 0, said
    assert left(targets) == [] or until("the probes are gone", lambda: not left(targets), 10)
    assert max(map(len, said.splitlines())) <= 80
    info = targets.get("node", "n1")["status"]["nodeInfo"]
    flat = " ".join(said.split())
    assert f"Kubernetes {info['kubeletVersion']}" in flat
    assert "zones: a, b, c" in flat
    for node in {pod["spec"]["nodeName"] for pod in targets.pods(SPACE, "app=web,!decoy").values()}:
        kernel = info["kernelVersion"]
        assert f"agent on {node}: containerd, kernel {kernel}, Python 3." in flat
        assert re.search(rf"network\.\* on {node}: \w+", flat)
    assert (
        "process.pause" in flat.partition("faults that can be made here:")[2].partition(" no ")[0]
    )
    assert re.search(r"refused here: node\.down: the System file names no switch", flat)
    (apart,) = re.findall(r"each within ([0-9.]+) ms", flat)
    ahead = re.findall(r"n\d ([+-][0-9.]+) ms", flat)
    assert ahead, "all nodes have this machine's clock"
    assert all(abs(float(found)) <= float(apart) for found in ahead)


def test_consent_is_among_the_reasons_and_a_program_can_read_them(place, targets):
    targets.kubectl("label", "namespace", SPACE, "harness.dev/allow=network", "--overwrite")
    try:
        status, said = place.run("doctor", "--system", "system.yaml", "--json")
    finally:
        targets.kubectl("label", "namespace", SPACE, "harness.dev/allow=all", "--overwrite")
    assert status == 0, said
    checks = json.loads(said)
    refused = {check["what"]: check["why_not"] for check in checks if "refused" in check["what"]}
    (why,) = (why for what, why in refused.items() if "process.pause" in what)
    assert why == f"the namespace's owner allows network: harness allow {SPACE}"


def test_an_interrupt_leaves_no_probe_behind(place, targets):
    looking = place.start("doctor", "--system", "system.yaml")
    until("a probe is there", lambda: left(targets) != [], 30)
    looking.send_signal(signal.SIGINT)
    said, _ = looking.communicate(timeout=20)
    assert looking.returncode == 4, said
    assert "Traceback" not in said
    until("it is gone", lambda: left(targets) == [], 20)
    assert targets.kubectl("-n", AGENTS, "get", "jobs", "-o", "name") == ""
