"""Pods that are replaced while a fault is on, and what is looked at again before each fault."""

import json
import re

import pytest
from clusters import evict, until
from test_runs_on_pods import POD, Place, left

SPACE = "safety"
APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: SPACE}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
POD
"""
CALLER = """\
        - name: caller
          image: reliability-harness-probe
          imagePullPolicy: IfNotPresent
          command:
            - python3
            - -uc
            - |
              import time, urllib.request
              while True:
                  time.sleep(0.2)
                  try:
                      urllib.request.urlopen("http://back:8080/", timeout=2).read()
                      print("fine", flush=True)
                  except OSError as error:
                      print(error, flush=True)
"""
MORE = """
apiVersion: v1
kind: Namespace
metadata: {name: SPACE, labels: {harness.dev/allow: all}}
---
apiVersion: v1
kind: Service
metadata: {name: back, namespace: SPACE}
spec: {selector: {app: back}, ports: [{port: 8080}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: front, namespace: SPACE}
spec: {minAvailable: 1, selector: {matchLabels: {app: front}}}
"""
HEADLESS = """
apiVersion: v1
kind: Service
metadata: {name: back-pods, namespace: SPACE}
spec: {clusterIP: None, selector: {app: back}, ports: [{port: 8080}]}
"""
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: safety}
spec:
  kubernetes: {namespace: SPACE}
  services:
    front: {workload: deploy/front, port: 8080, calls: [back]}
    back: {workload: deploy/back, port: 8080}
"""


def app(name, replicas):
    text = APP.replace("NAME", name).replace("REPLICAS", str(replicas))
    return text.replace("POD\n", POD.replace("app: web", f"app: {name}"))


@pytest.fixture(scope="module")
def targets(cluster):
    parts = (MORE, app("front", 2).rstrip("\n") + "\n" + CALLER, app("back", 1))
    cluster.kubectl("apply", "-f", "-", given="---".join(parts).replace("SPACE", SPACE))
    for name in ("front", "back"):
        cluster.kubectl("-n", SPACE, "rollout", "status", f"deploy/{name}", "--timeout=60s")
    yield cluster
    cluster.kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.fixture
def place(targets, tmp_path):
    for name in ("front", "back"):
        targets.kubectl("-n", SPACE, "rollout", "status", f"deploy/{name}", "--timeout=60s")
    found = Place(tmp_path, targets)
    (tmp_path / "system.yaml").write_text(SYSTEM.replace("SPACE", SPACE))
    yield found
    until("nothing of ours is left", lambda: left(targets) == [], 30)


def journal(place):
    text = (place.path / "reports/last/journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def steps(place, name):
    return [line for line in journal(place) if line["step"] == name]


def pod(cluster, name):
    """The only one of it that stays, and its address."""
    ((found, it),) = cluster.pods(SPACE, f"app={name}").items()
    return found, it["status"].get("podIP", "")


def pinged_ms(said):
    times = sorted(float(t) for t in re.findall(r"time=([0-9.]+)", said))
    return times[len(times) // 2]


def ping_from(cluster, name, address):
    there = ("-n", SPACE, "exec", name, "--", "ping", "-c", "5", "-i", "0.2", address)
    return pinged_ms(cluster.kubectl(*there))


def test_a_fault_follows_the_pod_that_takes_its_targets_place(place, targets, probes):
    place.experiment(
        "{id: slow, at: 2s, for: 30s, fault: network.latency, target: back, delay: 60ms}",
        "{id: edge, at: 2s, for: 30s, fault: network.latency, from: front, to: back, delay: 150ms}",
    )
    run = place.start("run", "experiment.yaml")
    place.until_held(3)
    until("all were met", lambda: place.steps().count("look") >= 6, 20)
    old, _ = pod(targets, "back")
    evict(targets, SPACE, old)
    until("the newcomer has it", lambda: place.steps().count("injected") == 4, 40)
    until("the filter goes to it", lambda: len(steps(place, "redirecting")) >= 2, 10)
    _, address = pod(targets, "back")
    front = min(targets.pods(SPACE, "app=front"))
    probed = pinged_ms(probes.probe("n3", "ping", "-c", "5", "-i", "0.2", address))
    assert 50 < probed < 140, "what it sends is late"
    assert 190 < ping_from(targets, front, address) < 400, "and so is what is sent to it"
    said, _ = run.communicate(timeout=90)
    assert run.returncode == 0, said
    assert ping_from(targets, front, address) < 40
    ends = [*steps(place, "target_gone"), *steps(place, "gone")]  # whichever comes first
    assert [line["effect"] for line in ends].count(f"slow/pod/{SPACE}/{old}") == 1
    effects = place.record()["effects"]
    assert len(effects) == 4
    assert all(effect["confirmed"] for effect in effects), said


def test_a_fault_ends_where_the_file_says_so(place, targets):
    place.experiment(
        "{id: slow, at: 1s, for: 12s, fault: network.latency, target: back, delay: 60ms, "
        "replaced: end}",
    )
    run = place.start("run", "experiment.yaml")
    place.until_held(1)
    until("somebody met it", lambda: place.steps().count("look") >= 2, 20)
    old, _ = pod(targets, "back")
    evict(targets, SPACE, old)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    (told,) = steps(place, "replaced")
    assert told["why"] == "the file says that it ends"
    assert place.steps().count("injected") == 1
    assert f"{old} is" in json.dumps(steps(place, "trouble"))


def test_a_dependency_behind_a_headless_service_is_not_claimed_to_be_followed(place, targets):
    """Its callers dial pods: the proxy takes those that were there, and the run says when that is
    not all any more."""
    targets.kubectl("apply", "-f", "-", given=HEADLESS.replace("SPACE", SPACE))
    place.experiment("{id: slow, at: 1s, for: 40s, fault: dependency.latency, target: back, "
                     "delay: 100ms}")  # fmt: skip
    try:
        run = place.start("run", "experiment.yaml")
        place.until_held(2)
        evict(targets, SPACE, pod(targets, "back")[0])
        said, _ = run.communicate(timeout=60)
    finally:
        targets.kubectl("-n", SPACE, "delete", "service", "back-pods")
    assert run.returncode == 6, said
    assert "back is headless, and has a new pod at" in " ".join(said.split())


def test_a_budget_that_shrinks_after_the_plan_stops_the_fault(place, targets):
    place.experiment("{id: gone, at: 12s, fault: pod.delete, target: front, pick: one}")
    before = sorted(targets.pods(SPACE, "app=front"))
    run = place.start("run", "experiment.yaml")
    until("the world is up", lambda: "load.started" in place.steps(), 90)
    budget("2", targets)
    try:
        said, _ = run.communicate(timeout=60)
        assert run.returncode == 6, said
        assert "the disruption budget front can spare 0" in " ".join(said.split())
        assert sorted(targets.pods(SPACE, "app=front")) == before
        status, said = place.run("plan", "experiment.yaml")
        assert status == 2
        assert "can spare 0" in " ".join(said.split())
        path = place.path / "experiment.yaml"
        path.write_text(path.read_text() + "  guard: {blast_radius: {budgets: [front]}}\n")
        assert place.run("plan", "experiment.yaml")[0] == 0
    finally:
        budget("1", targets)


def budget(least, cluster):
    patch = f'{{"spec": {{"minAvailable": {least}}}}}'
    cluster.kubectl("-n", SPACE, "patch", "pdb", "front", "--type=merge", "-p", patch)
    there = ("-n", SPACE, "get", "pdb", "front", "-o", "jsonpath={.status.disruptionsAllowed}")
    until("it is counted", lambda: cluster.kubectl(*there) == str(2 - int(least)), 20)


def test_a_zone_that_is_down_is_cut_off_and_no_other_and_a_region_altogether(
    place, targets, probes
):
    fronts = targets.pods(SPACE, "app=front")
    zones = {name: zone_of(targets, it["spec"]["nodeName"]) for name, it in fronts.items()}
    cut = min(zones)
    place.experiment(
        f"{{id: cut, at: 2s, for: 8s, fault: zone.down, target: zone/{zones[cut]}}}",
        # Nobody else can meet it where everybody is cut off: their kubelets do.
        "{id: all, at: 14s, for: 8s, fault: region.down, target: region/r1, spare: [dns]}",
    )
    path = place.path / "experiment.yaml"
    path.write_text(path.read_text() + "  guard: {blast_radius: {zones: 3, budgets: [front]}}\n")
    inside = [n for n in targets.pods(SPACE) if zone_of_pod(targets, n) == zones[cut]]
    run = place.start("run", "experiment.yaml")
    place.until_held(len(inside))
    seen = {name: answers(probes, it["status"]["podIP"]) for name, it in fronts.items()}
    place.until_held(len(inside) + len(targets.pods(SPACE)))
    assert not any(answers(probes, it["status"]["podIP"]) for it in fronts.values())
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert seen == {name: zone != zones[cut] for name, zone in zones.items()}
    assert all(answers(probes, it["status"]["podIP"]) for it in fronts.values())
    assert all(effect["confirmed"] for effect in place.record()["effects"])


def zone_of(cluster, node):
    return cluster.get("node", node)["metadata"]["labels"]["topology.kubernetes.io/zone"]


def zone_of_pod(cluster, name):
    return zone_of(cluster, cluster.pods(SPACE)[name]["spec"]["nodeName"])


def answers(probes, address):
    return " 0% packet loss" in probes.probe(
        "n3", "ping", "-c", "2", "-W", "1", address, check=False
    )
