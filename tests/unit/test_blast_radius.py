"""How far a plan may reach, and what has to be left meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.agent.effects import (
    Cordoned,
    DeletePod,
    Link,
    LinkProfile,
    Node,
    Pod,
    PoweredOff,
    Replicas,
    Workload,
)
from harness.experiment.model import Guard
from harness.record.plan import PlannedEffect
from harness.run.outage import missed, moment, takes_out
from harness.run.radius import moments
from harness.run.reach import reach
from harness.substrates.substrate import Budget, Replica, Surroundings, Tenant, Topology


def replica(name: str, service: str, node: str, ready: bool = True) -> Replica:
    kind = "statefulset" if service == "db" else "deployment"
    return Replica(
        name, service, f"zone-{node}", "10.0.0.1", 80, node=node, workload=f"{kind}/{service}",
        ready=ready,
    )  # fmt: skip


CLIENT = Replica("client", "client", "", "127.0.0.1", 0)
REPLICAS = (
    replica("api-a", "api", "n1"), replica("api-b", "api", "n2"), replica("api-c", "api", "n3"),
    replica("db-0", "db", "n1"), replica("db-1", "db", "n2"), replica("db-2", "db", "n3"),
)  # fmt: skip
AROUND = Surroundings(Topology(REPLICAS, (), CLIENT), "shop")
OTHER = Tenant("billing-1", "billing", "n2")


def around(**fields: Any) -> Surroundings:
    return replace(AROUND, **fields)


def effect(resource: Any, does: Any, at: float = 1.0, lasts: float = 0.0) -> PlannedEffect:
    return PlannedEffect(
        id=f"x/{resource.target}", intervention="x", kind="x", target=resource.target,
        resource=resource, does=does, event=not lasts, at=at, lasts=lasts, mechanism="", says="",
    )  # fmt: skip


def deleted(*names: str, at: float = 1.0) -> tuple[PlannedEffect, ...]:
    return tuple(effect(Pod(f"pod/shop/{name}", name), DeletePod(), at) for name in names)


def dark(node: str) -> PlannedEffect:
    return effect(Node(f"node/{node}"), PoweredOff(), lasts=5.0)


@pytest.mark.parametrize(
    ("what", "most", "refused"),
    [("pods", 3, ""), ("pods", 2, "touches 3 pods"), ("nodes", 0, "touches 1 nodes (n2)"),
     ("zones", 0, "touches 1 zones (zone-n2)"), ("services", 1, "touches 2 services (api, db)")],
)  # fmt: skip
def test_other_tenants_of_a_dark_node_count(what: str, most: int, refused: str) -> None:
    guard = Guard(blast_radius=((what, most),), namespaces=("shop", "billing"))
    assert (refused or "\0") in (reach(guard, (dark("n2"),), around(tenants=(OTHER,))) or "\0")


def test_namespaces_that_are_hit_have_to_be_named() -> None:
    both = Guard(namespaces=("shop", "billing"))
    there = around(tenants=(OTHER, Tenant("billing-2", "billing", "n3")))
    assert "node/n2 also carries billing/billing-1" in reach(Guard(), (dark("n2"),), there)
    assert reach(both, (dark("n2"),), there) == ""
    assert reach(Guard(), (dark("n1"),), there) == ""
    cordon = effect(Node("node/n2"), Cordoned(), lasts=5.0)
    assert reach(Guard(), (cordon,), there) == "", "who is there stays there"


def test_a_namespace_of_the_system_that_is_not_named() -> None:
    said = reach(Guard(namespaces=("other",)), deleted("api-a"), AROUND)
    assert "touches namespace shop, the blast radius allows other" in said


@pytest.mark.parametrize(
    ("gone", "least", "fine"),
    [(("api-a",), 0.6, True), (("api-a",), 0.7, False), (("api-a", "api-b"), 0.5, False)],
)
def test_ready_endpoints(gone: tuple[str, ...], least: float, fine: bool) -> None:
    assert (moment(Guard(ready_endpoints=least), deleted(*gone), AROUND) == "") is fine


def test_who_is_not_ready_does_not_count_as_left() -> None:
    ill = tuple(replace(r, ready=r.name != "api-c") for r in REPLICAS)
    there = around(topology=Topology(ill, (), CLIENT))
    said = moment(Guard(ready_endpoints=0.5), deleted("api-a"), there)
    assert "leaves 1 of 3 endpoints of api ready and untouched" in said


def test_a_budget_is_not_overdrawn_unless_it_is_named() -> None:
    there = around(budgets=(Budget("api", ("api-a", "api-b", "api-c"), 1),))
    assert moment(Guard(), deleted("api-a"), there) == ""
    said = moment(Guard(), deleted("api-a", "api-b"), there)
    assert "takes api-a, api-b, and the disruption budget api can spare 1" in said
    assert moment(Guard(budgets=("api",)), deleted("api-a", "api-b"), there) == ""
    assert "can spare 1" in moment(
        Guard(), (effect(Workload("deployment/shop/api", "api"), Replicas(1), lasts=5.0),), there
    )


def test_a_budget_of_a_tenant_holds_too() -> None:
    there = around(tenants=(OTHER,), budgets=(Budget("billing", ("billing-1",), 0),))
    assert "budget billing can spare 0" in moment(Guard(), (dark("n2"),), there)


def test_a_majority_stays_unless_it_is_named() -> None:
    assert moment(Guard(), deleted("db-0"), AROUND) == ""
    said = moment(Guard(), deleted("db-0", "db-1"), AROUND)
    assert "leaves 1 of 3 members of statefulset/db, no majority" in said
    assert moment(Guard(quorums=("db",)), deleted("db-0", "db-1"), AROUND) == ""


def test_a_member_that_is_missing_already_counts() -> None:
    two = Topology(tuple(r for r in REPLICAS if r.name != "db-2"), (), CLIENT)
    said = moment(Guard(), deleted("db-0"), around(topology=two, sizes=(("statefulset/db", 3),)))
    assert "leaves 1 of 3 members" in said


def test_a_rollout_that_is_under_way() -> None:
    there = around(rolling=("deployment/api",))
    assert "rollout is under way: deployment/api" in moment(Guard(), deleted("api-a"), there)
    assert moment(Guard(), deleted("db-0"), there) == ""


def test_only_what_stops_a_pod_from_serving_is_an_outage() -> None:
    link = Link("pod/shop/api-a", "pod:a", "", "10.0.0.1")
    slow = effect(link, LinkProfile(direction="back"), lasts=5.0)
    cut = effect(link, LinkProfile(cut="drop"), lasts=5.0)
    edge = effect(link, LinkProfile(cut="drop", peers=("10.0.0.2",)), lasts=5.0)
    assert [takes_out((e,)) for e in (slow, cut, edge)] == [False, True, False]
    assert [r.name for r in missed(cut, AROUND.topology)] == ["api-a"]


def test_only_what_is_on_together_adds_up() -> None:
    apart = (*deleted("api-a", at=1.0), *deleted("api-b", at=9.0))
    assert [len(on) for on in moments(apart)] == [1, 1]
    held = effect(Node("node/n1"), PoweredOff(), at=0.5, lasts=3.0)
    assert [len(on) for on in moments((held, *apart))] == [1, 2, 1]
