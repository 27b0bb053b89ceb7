"""What a run with some faults asks for, and what an account may, by what the server lists."""

from pathlib import Path

import pytest

from harness.capabilities import Nodes, Workloads
from harness.experiment.model import Intervention, Where
from harness.experiment.system_model import Cluster, Metadata, Service, System
from harness.faults import registry
from harness.substrates.kubernetes.account import Account, lacks
from harness.substrates.kubernetes.api import ApiError
from harness.substrates.kubernetes.permissions import WITHOUT_AGENT, Use, needed
from harness.units import Duration

HERE = Path("system.yaml")
SHOP = System(
    Metadata("shop"),
    (Service("api", workload="deployment/api"), Service("db", workload="statefulset/db")),
    HERE, HERE.parent, Cluster("shop"),
)  # fmt: skip


class Server:
    """Answers reviews: `lists` what it lists, `allows` what it allows when it is asked singly."""

    def __init__(self, lists=(), allows=(), status=0):
        self.lists, self.allows, self.status, self.asked = lists, allows, status, []

    def create(self, path, body):
        if self.status:
            raise ApiError(self.status, "", "no")
        self.asked.append(body["kind"])
        if body["kind"] == "SelfSubjectReview":
            return {"status": {"userInfo": {"username": "me"}}}
        if body["kind"] == "SelfSubjectRulesReview":
            return {"status": {"resourceRules": list(self.lists), "incomplete": True}}
        about = body["spec"]["resourceAttributes"]
        return {"status": {"allowed": (about["verb"], about["resource"]) in self.allows}}


def rule(verb="get", group="", resource="pods", **more):
    return {"verbs": [verb], "apiGroups": [group], "resources": [resource], **more}


def on(kind, target):
    return Intervention("x", kind, Duration(0), None, Where(target), None)


@pytest.mark.parametrize(
    ("listed", "yes"),
    [
        (rule(), True),
        (rule("*", "*", "*"), True),
        (rule("list"), False),
        (rule(group="apps"), False),
        (rule(resource="pods/exec"), False),
        (rule(resourceNames=["only-this"]), False),
    ],
)
def test_what_a_list_covers(listed, yes):
    assert Account(Server([listed])).may("get", "", "pods", "shop") is yes


def test_what_is_not_listed_is_asked_for_by_name():
    server = Server([], [("get", "pods")])
    account = Account(server)
    assert account.may("get", "", "pods", "shop")
    assert not account.may("list", "", "nodes")
    assert not account.may("list", "", "nodes")
    singly = "SelfSubjectAccessReview"
    assert server.asked == ["SelfSubjectRulesReview", singly, singly]


def test_who_may_not_even_ask_is_told_by_the_server_when_the_time_comes():
    assert Account(Server(status=403)).may("list", "", "nodes")
    with pytest.raises(ApiError):
        Account(Server(status=401)).may("list", "", "nodes")


def test_what_is_missing_is_told_line_by_line_with_its_faults():
    groups = ("apps", "batch", "coordination.k8s.io", "policy", "rbac.authorization.k8s.io")
    everything = [rule("*", group, "*") for group in groups]
    core = [rule(verb, "", "*") for verb in ("get", "list", "create")]
    said = lacks(
        Account(Server(everything + core)), SHOP.cluster, SHOP,
        (on("pod.delete", "api"), on("scale.to", "db")),
    )  # fmt: skip
    scalers = "list horizontalpodautoscalers.autoscaling in namespace shop"
    assert said.splitlines() == [
        "me may not do all that this needs:",
        "    delete pods in namespace shop: to delete them (pod.delete)",
        f"    {scalers}: who else decides the size (scale.to)",
    ]


#: One holder of each target, and what was before.
LEASES = [f"{verb} leases" for verb in ("create", "delete", "get", "patch", "update")]
LEASED = ("get serviceaccounts", *LEASES)


def verbs(requests):
    return {f"{r.verb} {r.resource}" for r in requests}


def test_a_fault_asks_for_its_own_verbs_only():
    base = verbs(needed((), ("deployment",)))
    assert verbs(needed((Use("scale.to", "deployment"),), ("deployment",))) - base == {
        "patch deployments", "list horizontalpodautoscalers", "list poddisruptionbudgets", *LEASED
    }  # fmt: skip
    assert verbs(needed((Use("node.cordon"),), ("deployment",))) - base == {
        "get nodes", "patch nodes", *LEASED
    }  # fmt: skip
    drain = needed((Use("node.drain"),), ("deployment",))
    assert not any(r.resource in ("jobs", "pods/exec", "roles") for r in drain)
    assert "get statefulsets" not in base
    assert "list replicasets" not in verbs(needed((), ("statefulset",)))


def test_faults_without_an_agent_are_those_of_workloads_and_nodes():
    found = {n for n in registry.names() if registry.find(n).needs in (Workloads, Nodes)}
    assert found == set(WITHOUT_AGENT)
