"""Receipts on Leases: what they let others take back, and what they leave alone."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.agent.effects import Replicas, Workload
from harness.capabilities import HandsError
from harness.errors import Refused
from harness.substrates.kubernetes.api import ApiError
from harness.substrates.kubernetes.leases import Leases, held, left_s, was_in
from harness.substrates.kubernetes.pods import Pods
from harness.substrates.kubernetes.workloads import Workloads

WEB = Workload("deployment/shop/web", "web")
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"


class Server:
    """An API server's memory: objects by path, merged on patch, refused with 404 and 409."""

    def __init__(self) -> None:
        containers = [{"name": "app", "image": "web:1"}]
        spec = {"replicas": 3, "template": {"spec": {"containers": containers}}}
        self.objects: dict[str, Any] = {DEPLOYMENT: {"metadata": {"name": "web"}, "spec": spec}}

    def get(self, path: str, **_: str) -> Any:
        if path not in self.objects:
            raise ApiError(404, "NotFound", f"{path} not found")
        return copy.deepcopy(self.objects[path])

    def find(self, path: str) -> Any:
        return self.get(path) if path in self.objects else None

    def create(self, path: str, body: Any) -> Any:
        place = f"{path}/{body['metadata']['name']}"
        if place in self.objects:
            raise ApiError(409, "AlreadyExists", "it exists")
        self.objects[place] = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
        return self.objects[place]

    def patch(self, path: str, body: Any, *_: str) -> Any:
        self.objects[path] = merged(self.get(path), body)

    def once(self, method: str, path: str, *, body: Any = None, **_: Any) -> Any:
        assert method == "PUT"
        self.get(path)
        self.objects[path] = body
        return body

    def items(self, path: str, **_: str) -> Any:
        return iter([])

    def delete(self, path: str, **_: Any) -> None:
        self.objects.pop(path, None)

    @property
    def replicas(self) -> int:
        return int(self.objects[DEPLOYMENT]["spec"]["replicas"])

    @property
    def leases(self) -> list[Any]:
        return [found for path, found in self.objects.items() if "/leases/" in path]


def merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    both = {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}
    return {key: value for key, value in both.items() if value is not None}


@pytest.fixture
def server() -> Server:
    return Server()


def leases_of(server: Any, run: str) -> Leases:
    return Leases(server, "harness-agents", run, (WEB,), None)


def workloads(server: Any, leases: Leases | None = None) -> Workloads:
    return Workloads(server, Pods(server, "shop"), leases)


def scaled(server: Any, run: str = "one") -> Leases:
    """A run that holds the workload at no pods, and then is no more."""
    leases = leases_of(server, run)
    for target in ("workload of deployment/shop/web",):
        leases.take(target)
    there = workloads(server, leases)
    there.make(WEB, there.settings(WEB), {Replicas: Replicas(0)})
    assert server.replicas == 0
    return leases


def aged(server: Server) -> None:
    past = datetime.now(tz=UTC) - timedelta(minutes=1)
    for lease in server.leases:
        lease["spec"]["renewTime"] = past.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_receipt_stands_there_before_the_change_and_goes_with_it(server: Server) -> None:
    leases = scaled(server)
    (lease,) = server.leases
    was = was_in(lease)
    assert was is not None
    assert (was.resource, was.before, was.ours) == (WEB, {"replicas": "3"}, {"replicas": "0"})
    workloads(server, leases).make(WEB, {"replicas": "3", "image of app": "web:1"}, {})
    assert server.replicas == 3
    assert was_in(server.leases[0]) is None
    leases.give_back()
    assert server.leases == []


def test_no_change_without_its_receipt(server: Server) -> None:
    there = workloads(server, leases_of(server, "one"))  # its Lease was never made
    with pytest.raises(ApiError):
        there.make(WEB, there.settings(WEB), {Replicas: Replicas(0)})
    assert server.replicas == 3


def test_a_lease_with_a_receipt_outlives_its_run(server: Server) -> None:
    scaled(server).give_back()
    (lease,) = server.leases
    assert was_in(lease) is not None
    assert "ownerReferences" not in lease["metadata"]


def test_who_takes_over_has_the_receipt_of_the_dead(server: Server) -> None:
    scaled(server)
    with pytest.raises(Refused, match="is held by"), held(leases_of(server, "two")):
        pass
    aged(server)
    with held(leases_of(server, "two")) as taken:
        (was,) = taken.held_over()
        assert workloads(server).restore(WEB, was) == (
            "replicas of deployment/shop/web is 3 again",
        )
        assert server.replicas == 3


def test_what_somebody_else_decided_meanwhile_is_left_alone(server: Server) -> None:
    leases = scaled(server)
    server.objects[DEPLOYMENT]["spec"]["replicas"] = 5
    (was,) = leases.held_over()
    (said,) = workloads(server).restore(WEB, was)
    assert "left alone" in said
    assert server.replicas == 5


def test_a_lease_that_was_lost_is_told(server: Server) -> None:
    leases = scaled(server)
    leases.renew()
    assert left_s(server.leases[0]) > 10
    server.leases[0]["spec"]["holderIdentity"] = "somebody@else/run"
    with pytest.raises(HandsError, match="was lost"):
        leases.renew()
