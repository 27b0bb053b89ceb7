"""Load from pods of the cluster, and from here by each of the ways in, with what they add."""

import json
import signal
import time

import numpy as np
import pytest
from clusters import SHOP_SYSTEM, evict, until
from test_runs_on_pods import Place

from harness.load.reading import read
from harness.load.recording import Outcome

EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {name: load}
spec:
  hypothesis: Every arrival is sent, and its row comes home.
  system: system.yaml
  load:
    requests: [{get: /products}]
    entry: ENTRY
    from: FROM
    workers: WORKERS
    arrivals: {requests: 60/s}
    warmup: 1s
    timeout: 5s
  duration: LASTSs
  settle: 1s
  objectives: []
"""
#: Two ways in that no controller of this cluster would make: reverse proxies before the shop's web.
DOORS = """
apiVersion: v1
kind: Namespace
metadata: {name: outside}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: outside, namespace: outside}
data:
  ingress: |
    {
      admin off
      auto_https off
    }
    http://shop.example {
      log
      reverse_proxy web.shop:80
    }
  balancer: |
    {
      admin off
      auto_https off
    }
    :80 {
      log
      reverse_proxy web.shop:80
    }
---
apiVersion: v1
kind: Service
metadata: {name: web-outside, namespace: shop}
spec:
  type: LoadBalancer
  allocateLoadBalancerNodePorts: false
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  ingressClassName: caddy
  rules:
    - host: shop.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
"""
PROXY = """
---
apiVersion: v1
kind: Pod
metadata: {name: outside-NAME, namespace: outside}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: caddy
      image: reliability-harness-checkout
      imagePullPolicy: IfNotPresent
      command: [caddy, run, --config, /etc/caddy/NAME, --adapter, caddyfile]
      readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
      volumeMounts: [{name: config, mountPath: /etc/caddy}]
  volumes: [{name: config, configMap: {name: outside}}]
"""
PLACED = """
    namespace: shop
    agent: {image: reliability-harness-probe, priority: our-pods, pull_secrets: [registry],
            node_selector: {pool: chaos}, tolerations: ["dedicated=chaos:NoSchedule"]}
    load: {priority: our-pods, pull_secrets: [registry],
           node_selector: {pool: chaos}, tolerations: ["dedicated=chaos:NoSchedule"]}
"""
SLOW = """
  timeline:
    - {id: slow, at: 1s, for: 2s, fault: network.latency, target: web, delay: 50ms}
"""


class Loaded(Place):
    def __init__(self, path, cluster, **fields):
        super().__init__(path, cluster)
        (path / "system.yaml").write_text(SHOP_SYSTEM)
        text = EXPERIMENT
        for word, value in fields.items():
            text = text.replace(word.upper(), str(value))
        (path / "experiment.yaml").write_text(text)

    def ended(self):
        lines = (self.path / "reports/last/journal.jsonl").read_text().splitlines()
        return next(s for s in map(json.loads, lines) if s["step"] == "load.ended")


def load_pods(cluster):
    chosen = ("-n", "harness", "-l", "app.kubernetes.io/name=harness-load")
    return cluster.kubectl("get", "pods", *chosen, "-o", "name", check=False).split()


def test_three_workers_on_three_nodes_share_one_schedule(with_harness, tmp_path):
    place = Loaded(tmp_path, with_harness, entry="web", FROM="cluster", workers=3, lasts=4)
    status, said = place.run("run", "experiment.yaml", timeout_s=150)
    assert status == 0, said
    recording, ended = read(tmp_path / "reports/last"), place.ended()
    due = (recording.rows["intended"] - recording.rows["intended"][0]) / 1e9
    assert np.allclose(due, np.arange(300) / 60, atol=1e-6)
    assert (ended["due"], ended["sent"], ended["dropped"]) == (300, 300, 0)
    assert [worker["rows"] for worker in ended["arrived"]] == [100, 100, 100]
    assert len({worker["place"].rpartition(" on ")[2] for worker in ended["arrived"]}) == 3
    assert "from inside of the cluster" in said
    until("its pods are gone", lambda: not load_pods(with_harness), 30)


def load_jobs(cluster):
    chosen = ("-n", "harness", "-l", "app.kubernetes.io/name=harness-load")
    return cluster.kubectl("get", "jobs", *chosen, "-o", "name", check=False).split()


@pytest.mark.parametrize("how", ["Ctrl-C", "the red button"])
def test_whoever_ends_a_run_ends_its_load_in_pods(with_harness, tmp_path, how):
    place = Loaded(tmp_path, with_harness, entry="web", FROM="cluster", workers=1, lasts=60)
    run = place.start("run", "experiment.yaml")
    until("the load runs", lambda: "load.started" in place.steps(), 90)
    time.sleep(3)
    ended(run, with_harness, how)
    assert place.ended()["sent"] > 0


def ended(run, cluster, how):
    """By a person, with the status of that; nothing of its load is left, neither Job nor pod."""
    halt = ("annotate", "namespace", "shop")
    try:
        if how == "Ctrl-C":
            run.send_signal(signal.SIGINT)
        else:
            cluster.kubectl(*halt, "harness.dev/halt=now")
        said, _ = run.communicate(timeout=60)
    finally:
        cluster.kubectl(*halt, "harness.dev/halt-")
    assert run.returncode == 4, said
    assert load_jobs(cluster) == []
    until("its pods are gone", lambda: not load_pods(cluster), 30)


def test_load_that_never_comes_is_waited_for_no_longer_than_anybody_wants_it(shop, tmp_path):
    """No node is for its pods. A harness that is killed leaves a Job, which recover finds."""
    place = Loaded(tmp_path, shop, entry="web", FROM="cluster", workers=1, lasts=60)
    nowhere = "{namespace: shop, load: {node_selector: {is: nowhere}}}"
    (tmp_path / "system.yaml").write_text(SHOP_SYSTEM.replace("{namespace: shop}", nowhere))

    def waiting():
        run = place.start("run", "experiment.yaml")
        until("its Job waits", lambda: run.poll() is not None or load_jobs(shop), 60)
        assert run.poll() is None, run.communicate()[0]
        return run

    for how in ("Ctrl-C", "the red button"):
        ended(waiting(), shop, how)
    run = waiting()
    run.kill()
    run.communicate(timeout=10)
    assert load_jobs(shop), "nobody has ended it"
    status, said = place.run("recover", place.run_id())
    assert status == 0, said
    assert "its load was ended" in said
    assert load_jobs(shop) == []
    status, said = place.run("recover", place.run_id())
    assert (status, "nothing was left behind" in said) == (0, True), said


def test_our_pods_live_on_a_tainted_node_as_the_file_says(with_harness, tmp_path):
    (web,) = with_harness.pods("shop", "app=web").values()
    node = web["spec"]["nodeName"]
    place = Loaded(tmp_path, with_harness, entry="web", FROM="cluster", workers=1, lasts=3)
    system, experiment = tmp_path / "system.yaml", tmp_path / "experiment.yaml"
    system.write_text(SHOP_SYSTEM.replace("{namespace: shop}", PLACED))
    experiment.write_text(experiment.read_text() + SLOW)
    with_harness.kubectl("taint", "node", node, "dedicated=chaos:NoSchedule")
    with_harness.kubectl("label", "node", node, "pool=chaos")
    with_harness.kubectl("create", "priorityclass", "our-pods", "--value=1000")
    try:
        run = place.start("run", "experiment.yaml")
        until("the load runs", lambda: "load.started" in place.steps(), 90)
        (agent,) = with_harness.pods("harness-agents").values()
        (load,) = with_harness.pods("harness", "app.kubernetes.io/name=harness-load").values()
        said, _ = run.communicate(timeout=90)
        assert "sent" in said, said
        assert all(effect["gone_at_s"] for effect in place.record()["effects"])
        for pod in (agent, load):
            spec = pod["spec"]
            assert (spec["nodeName"], spec["priority"]) == (node, 1000)
            assert spec["imagePullSecrets"] == [{"name": "registry"}]
            assert spec["nodeSelector"] == {"pool": "chaos"}
        assert agent["spec"]["containers"][0]["image"] == "reliability-harness-probe"
        with_harness.kubectl("label", "node", node, "pool-")
        experiment.write_text(experiment.read_text().replace("from: cluster", "from: here"))
        status, said = place.run("run", "experiment.yaml")
        assert status == 6, said
        assert "NodeAffinity" in said
    finally:
        with_harness.kubectl("taint", "node", node, "dedicated-")
        with_harness.kubectl("label", "node", node, "pool-")
        with_harness.kubectl("delete", "priorityclass", "our-pods")


def test_a_load_pod_that_is_evicted_makes_the_run_invalid(with_harness, tmp_path):
    place = Loaded(tmp_path, with_harness, entry="web", FROM="cluster", workers=2, lasts=60)
    run = place.start("run", "experiment.yaml")
    until("the load runs", lambda: "load.started" in place.steps(), 90)
    time.sleep(2)
    victim = load_pods(with_harness)[0]
    evict(with_harness, "harness", victim.partition("/")[2])
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 6, said
    assert "load worker" in said
    assert victim.partition("/")[2] in "".join(said.split())
    until("its pods are gone", lambda: not load_pods(with_harness), 30)


def test_what_has_no_other_door_is_reached_by_port_forward(shop, tmp_path):
    place = Loaded(tmp_path, shop, entry="api", FROM="here", workers=1, lasts=4)
    status, said = place.run("plan", "experiment.yaml")
    assert "port-forward" in said
    status, said = place.run("run", "experiment.yaml", timeout_s=100)
    assert status == 0, said
    rows = read(tmp_path / "reports/last").rows
    assert len(rows) == 300
    assert (rows["outcome"] == Outcome.OK).sum() >= 290
    assert "port-forward" in place.record()["warnings"][0]
    crossing = place.record()["crossing"]
    assert [leg["what"] for leg in crossing["legs"]] == ["first byte"]
    assert crossing["tries"] > 3
    assert "no agent" in crossing["lacking"]
    assert crossing["legs"][0]["added_p50_ms"] is None


def test_an_ingress_and_a_load_balancer_lead_to_the_shop(outside, tmp_path):
    """Each by the address in its status, as its own data plane says; and what it adds is told."""
    place = Loaded(tmp_path, outside, entry="web", FROM="here", workers=1, lasts=3)
    system, experiment = tmp_path / "system.yaml", tmp_path / "experiment.yaml"
    by_web = "{workload: deploy/web, port: 80,"
    system.write_text(SHOP_SYSTEM.replace(by_web, f"{by_web} through: load-balancer,"))
    status, said = place.run("run", "experiment.yaml", timeout_s=100)
    assert status == 0, said
    assert "load balancer" in said
    assert served(outside, "balancer") >= passed(tmp_path) > 200
    system.write_text(SHOP_SYSTEM.replace(by_web, f'{by_web} url: "http://shop.example",'))
    experiment.write_text(experiment.read_text() + SLOW)
    status, said = place.run("run", "experiment.yaml", timeout_s=100)
    assert "through Ingress shop (class caddy)" in said
    assert served(outside, "ingress") >= passed(tmp_path) > 200
    crossing = place.record()["crossing"]
    assert [leg["what"] for leg in crossing["legs"]] == ["connect", "first byte"]
    assert all(leg["here_p99_ms"] >= leg["here_p50_ms"] > 0 for leg in crossing["legs"])
    assert crossing["legs"][1]["added_p50_ms"] > 0, "a proxy more"
    assert "asked from its node" in crossing["beside"]
    system.write_text(SHOP_SYSTEM.replace(by_web, f"{by_web} through: ingress,"))
    outside.kubectl("-n", "shop", "delete", "ingress", "shop")
    status, said = place.run("plan", "experiment.yaml")
    assert status == 2, said
    assert "it has: load-balancer, node-port, port-forward" in " ".join(said.split())


@pytest.fixture
def outside(shop):
    """An Ingress and a LoadBalancer Service of the shop with addresses in their status."""
    names = ("ingress", "balancer")
    shop.kubectl("apply", "-f", "-", given=DOORS + "".join(PROXY.replace("NAME", n) for n in names))
    there = ("-n", "shop")
    shop.kubectl("-n", "outside", "wait", "pod", "--all", "--for=condition=Ready")
    pods = shop.pods("outside")
    for name, kind in (("ingress", "ingress/shop"), ("balancer", "service/web-outside")):
        address = {"ip": pods[f"outside-{name}"]["status"]["podIP"]}
        if name == "balancer":
            address["ipMode"] = "Proxy"  # nodes must not take a short cut
        status = json.dumps({"status": {"loadBalancer": {"ingress": [address]}}})
        shop.kubectl(*there, "patch", kind, "--subresource=status", "--type=merge", "-p", status)
    yield shop
    shop.kubectl(*there, "delete", "--ignore-not-found", "service/web-outside", "ingress/shop")
    shop.kubectl("delete", "namespace", "outside", "--wait=false")


def served(cluster, name):
    """How many requests of runs that proxy says it passed on: those for measuring are HEAD."""
    lines = cluster.kubectl("-n", "outside", "logs", f"outside-{name}").splitlines()
    return sum('"uri":"/products"' in line for line in lines)


def passed(path):
    return int((read(path / "reports/last").rows["outcome"] == Outcome.OK).sum())
