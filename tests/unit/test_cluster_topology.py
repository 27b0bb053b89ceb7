"""From what the API says to who is there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.agent.effects import DNS, PROBES, Link, LinkProfile, Spared
from harness.errors import Refused
from harness.experiment.system_model import Cluster, Metadata, Service, System
from harness.faults.zone.down import Down
from harness.substrates.kubernetes.api import ApiError
from harness.substrates.kubernetes.objects import selector_text
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.substrate import KubernetesSubstrate
from harness.substrates.kubernetes.topology import find

CORE, APPS = "/api/v1/namespaces/shop", "/apis/apps/v1/namespaces/shop"


def pod(name, owner, node="n1", port=8000, **labels):
    ref = {"kind": "ReplicaSet", "name": "x", "uid": owner, "controller": True}
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": labels,
            "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [ref]}  # fmt: skip
    spec = {"nodeName": node, "containers": [{"name": "c", "ports": [
        {"name": "http", "containerPort": port}], "readinessProbe": {"httpGet": {"port": "http"}},
        "livenessProbe": {"exec": {}}, "startupProbe": {"tcpSocket": {"port": 9}}}]}  # fmt: skip
    ready = [{"type": "Ready", "status": "True"}]
    status = {"podIP": "10.0.0.1", "hostIP": "192.0.2.1", "phase": "Running", "conditions": ready}
    return {"metadata": meta, "spec": spec, "status": status}


def node(name, zone):
    labels = {"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": "eu"}
    status = {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
              "conditions": [{"type": "Ready", "status": "True"}]}  # fmt: skip
    return {"metadata": {"name": name, "labels": labels, "uid": name}, "status": status}


PODS = [
    pod("api-a", "rs-1", app="api"),
    pod("api-b", "rs-1", node="n2", app="api"),
    pod("decoy", "rs-9", app="api"),  # the same labels, another owner
]
ANSWERS = {
    f"{APPS}/deployments/api": {
        "metadata": {"uid": "d-1"}, "spec": {"selector": {"matchLabels": {"app": "api"}}}
    },
    f"{APPS}/replicasets": [
        {"metadata": {"uid": "rs-1", "ownerReferences": [{"uid": "d-1"}]}},
        {"metadata": {"uid": "rs-9", "ownerReferences": [{"uid": "d-9"}]}},
    ],
    f"{CORE}/pods": PODS,
    f"{CORE}/services": [
        {"metadata": {"name": "api", "uid": "s"}, "spec": {
            "selector": {"app": "api"}, "clusterIP": "10.9.9.9",
            "ports": [{"port": 80, "targetPort": "http", "nodePort": 30080}]}},
    ],
    "/api/v1/namespaces/kube-system/services": [
        {"metadata": {"name": "kube-dns"}, "spec": {"clusterIP": "10.9.9.10", "ports": [
            {"name": "dns", "port": 53}, {"name": "metrics", "port": 9153}]}},
    ],
    "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices": [
        {"endpoints": [{"addresses": ["10.0.0.53"]}], "ports": [
            {"name": "dns", "port": 8053}, {"name": "metrics", "port": 9153}]},
    ],
    "/api/v1/nodes": [node("n1", "a"), node("n2", "b")],
}  # fmt: skip


class Answers:
    """What an API server would say, for reading alone."""

    def find(self, path):
        return ANSWERS.get(path)

    def create(self, path, body):
        return {"status": {"allowed": True}}

    def items(self, path, **query):
        return iter(json.loads(json.dumps(ANSWERS[path])))


def made(*services):
    path = Path("system.yaml")
    return System(Metadata("x"), services, path, path.parent, Cluster("shop"))


def found(*services):
    return find(made(*services), Reader(Answers(), "shop"))


def test_pods_are_those_of_the_workload_by_ownership():
    there = found(Service("api", workload="deployment/api", port=80)).topology
    assert [r.name for r in there.replicas] == ["api-a", "api-b"]
    assert [r.zone for r in there.replicas] == ["a", "b"]
    assert there.replicas[0].port == 8000, "behind the Service's port"


def test_selections():
    there = found(Service("api", workload="deployment/api")).topology
    references = "api api-1 deploy/api pod/api-b node/n2 zone/a pod/decoy sts/api"
    names = {ref: [r.name for r in there.named(ref)] for ref in references.split()}
    assert names["api"] == names["deploy/api"] == ["api-a", "api-b"]
    assert names["api-1"] == names["pod/api-b"] == names["node/n2"] == ["api-b"]
    assert names["zone/a"] == ["api-a"]
    assert names["pod/decoy"] == names["sts/api"] == []
    assert len(there.labelled("app=api")) == 2
    assert there.labelled("app=other") == ()


def test_packets_to_all_of_a_service_go_to_its_front_as_well():
    there = found(Service("api", workload="deployment/api", port=80)).topology
    assert there.addresses(there.named("api")) == ("10.0.0.1", "10.9.9.9")
    assert there.addresses(there.named("pod/api-a")) == ("10.0.0.1",)


def test_load_from_here_comes_through_the_node_port_and_it_is_said():
    there = found(Service("api", workload="deployment/api", port=80)).topology
    way = there.way("api", "here")
    assert way.url == "http://192.0.2.1:30080"
    assert "NodePort 30080 of n1" in way.says


def test_load_from_the_cluster_comes_by_the_service():
    there = found(Service("api", workload="deployment/api", port=80)).topology
    assert there.way("api", "cluster").url == "http://api.shop:80"


def test_what_is_not_there_is_refused():
    with pytest.raises(Refused, match="namespace shop has no statefulset/db"):
        found(Service("db", workload="statefulset/db"))


def test_external_services_are_nobodys_pods():
    there = found(Service("pay", external="pay.example:443"))
    assert there.pods == {}
    assert there.topology.replicas[0].address == "pay.example"


def test_selectors_of_workloads():
    rules = [{"key": "env", "operator": "In", "values": ["a", "b"]},
             {"key": "old", "operator": "DoesNotExist"}]  # fmt: skip
    assert selector_text({"matchLabels": {"app": "x"}, "matchExpressions": rules}) == (
        "app=x,env in (a,b),!old"
    )


def test_an_empty_selector_selects_nothing():
    assert Reader(Answers(), "shop").labelled("") == ()


def test_a_server_that_cannot_be_reached_is_told_from_one_that_refuses():
    assert ApiError(0, "Unreachable", "no route").told == "no route"
    assert ApiError(403, "Forbidden", "pods is forbidden").told.endswith("(HTTP 403)")


def test_fields_and_places():
    there = found(Service("api", workload="deployment/api")).topology
    by_field = {
        "spec.nodeName=n2": ["api-b"], "spec.nodeName!=n2": ["api-a"],
        "metadata.name=api-a,spec.nodeName=n1": ["api-a"], "metadata.name=decoy": [],
        "status.podIP=10.0.0.1": ["api-a", "api-b"],
    }  # fmt: skip
    assert {f: [r.name for r in there.like(f)] for f in by_field} == by_field
    assert [r.name for r in there.named("region/eu")] == ["api-a", "api-b"]
    assert there.named("region/us") == ()


def test_a_zone_that_is_cut_takes_its_pods_links_and_no_node():
    substrate = KubernetesSubstrate(Cluster("shop"))
    substrate.__dict__["reader"] = Reader(Answers(), "shop")
    substrate.__dict__["connection"] = None
    there = substrate.topology(made(Service("api", workload="deployment/api")))
    (link,) = substrate.resources(Down.needs, there.named("zone/b"), ())
    spared = (
        Spared(DNS, ("10.9.9.10", "10.0.0.53"), (53, 8053), own=True),
        Spared(PROBES, ("192.0.2.1",), (9, 8000), ttl=64, own=True),
    )
    assert link == Link("pod/shop/api-b", "pod:uid-api-b", "", "10.0.0.1", spared=spared)
    cut = LinkProfile(direction="both", cut="drop")
    assert Down().at(link, ()) == replace(cut, spared=spared)
    assert Down(spare=("dns",)).at(link, ()) == replace(cut, spared=spared[:1])
    assert Down(spare=()).at(link, ()) == cut
    assert Down().at(link, ("10.0.0.9",)) == replace(cut, peers=("10.0.0.9",))
