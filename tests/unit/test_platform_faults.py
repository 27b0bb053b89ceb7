"""Faults of a cluster's own things, judged by what its API server tells, and when it was not so."""

from __future__ import annotations

import pytest

from harness.agent.effects import Node, PlatformSeen, Pod, PodState, Workload
from harness.faults import registry
from harness.faults.fault import Condition, Event, Held, Look

POD = PodState("web-1", "u1", ready=True, leaving=False, image="web:1")
OTHER = PodState("web-2", "u2", ready=True, leaving=False, image="web:1")
BAD = "harness.invalid/no-such-image:1"


def look(*pods: PodState, **fields: object) -> Look:
    return Look(PlatformSeen(1.0, 2.0, pods, **fields))  # type: ignore[arg-type]


def changed(pod: PodState, **fields: object) -> PodState:
    return PodState(**{**vars(pod), **fields})


STUCK = PodState("web-3", "u3", ready=False, leaving=False, waiting="ErrImagePull", image=BAD)
TWO = look(POD, OTHER, replicas=2)
CASES = {
    "pod.delete": ({}, look(POD), look(changed(POD, leaving=True)), look()),
    "container.kill": ({}, look(POD), look(changed(POD, restarts=1)), look(POD)),
    "scale.to": ({"replicas": 1}, TWO, look(POD, changed(OTHER, leaving=True), replicas=1), TWO),
    "rollout.bad_image": ({}, TWO, look(POD, OTHER, STUCK, replicas=2), TWO),
    "node.cordon": ({}, look(POD), look(POD, cordoned=True), look(POD)),
    "node.drain": ({}, look(POD), look(cordoned=True), look()),
    "node.down": ({}, look(POD), look(POD, answers=False), look(POD)),
}
HALF = {
    "scale.to": look(POD, OTHER, replicas=1),
    "rollout.bad_image": look(POD, OTHER, changed(STUCK, ready=True, waiting=""), replicas=2),
    "node.drain": look(POD, cordoned=True),
    "pod.delete": look(POD, OTHER),
}


def confirmed(kind: str, before: Look, after: Look) -> bool:
    fault = registry.find(kind)
    assert fault is not None
    resource = Node("node/n1") if kind.startswith("node") else Workload("deployment/s/web", "web")
    held = Held(Pod("pod/s/web-1", "u1") if issubclass(fault, Event) else resource, before,
                (after,), 0.5)  # fmt: skip
    return all(each.confirmed for each in fault(**CASES[kind][0]).judge(held))


@pytest.mark.parametrize("kind", CASES)
def test_what_happened_is_confirmed(kind: str) -> None:
    assert confirmed(kind, CASES[kind][1], CASES[kind][2])


@pytest.mark.parametrize("kind", CASES)
def test_doing_nothing_is_not_confirmed(kind: str) -> None:
    assert not confirmed(kind, CASES[kind][1], CASES[kind][1])


@pytest.mark.parametrize("kind", HALF)
def test_half_of_it_is_not_confirmed(kind: str) -> None:
    assert not confirmed(kind, CASES[kind][1], HALF[kind])


@pytest.mark.parametrize("kind", ["node.cordon", "node.drain", "node.down"])
def test_what_was_so_before_is_not_ours(kind: str) -> None:
    assert not confirmed(kind, CASES[kind][2], CASES[kind][2])


@pytest.mark.parametrize("kind", [k for k in CASES if k not in ("pod.delete", "container.kill")])
def test_what_is_left_is_told(kind: str) -> None:
    fault = registry.find(kind)
    assert fault is not None
    assert issubclass(fault, Condition)
    parameters, before, during, after = CASES[kind]
    held = Held(Node("node/n1"), before, (), 0.5)
    assert fault(**parameters).gone(held, after) == ""
    assert fault(**parameters).gone(held, during) != ""
