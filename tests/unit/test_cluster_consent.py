"""Who may be disturbed on a cluster, and what an agent there may be."""

import dataclasses

import pytest

from harness.experiment.system_model import AgentPod
from harness.substrates.kubernetes.consent import ALLOW, allows, protected, refused
from harness.substrates.kubernetes.manifest import LABEL, NAME, agent_job, label_of, pod_name
from harness.substrates.kubernetes.objects import pod_of


def pod(labels=None, annotations=None, **spec):
    meta = {"name": "web-0", "namespace": "shop", "uid": "u1", "labels": labels or {},
            "annotations": annotations or {}}  # fmt: skip
    return pod_of({"metadata": meta, "spec": {"nodeName": "n1", **spec}, "status": {}})


@pytest.mark.parametrize(
    ("words", "kind", "yes"),
    [
        ("all", "network.latency", True),
        ("network.pod", "network.latency", True),
        ("network_pod", "pod.delete", True),
        ("network.pod", "process.kill", False),
        ("", "network.latency", False),
        ("none", "network.latency", False),
        ("all.none", "network.latency", False),
        ("networks", "network.latency", False),
    ],
)
def test_what_a_namespace_allows(words, kind, yes):
    assert allows(words, kind) is yes


def test_an_ordinary_pod_is_not_protected():
    assert protected(pod()) == ""
    assert refused(pod(), "network.latency") == ""


@pytest.mark.parametrize(
    ("it", "why"),
    [
        (pod(hostNetwork=True), "node's own network"),
        (pod({LABEL: NAME}), "an agent of ours"),
        (pod(annotations={"kubernetes.io/config.mirror": "x"}), "control plane"),
        (dataclasses.replace(pod(), namespace="kube-system"), "control plane"),
    ],
)
def test_what_is_left_alone(it, why):
    assert why in protected(it)


def test_a_pod_may_refuse_what_its_namespace_allows():
    assert f"says {ALLOW}=none" in refused(pod({ALLOW: "none"}), "process.kill")
    assert f"says {ALLOW}=network" in refused(pod(annotations={ALLOW: "network"}), "process.kill")


def spec_of(agent):
    return agent_job("n1", "20261126-1-run", agent, 30, 90)["spec"]["template"]["spec"]


def test_an_agent_is_guaranteed_and_ends_by_itself():
    spec = spec_of(AgentPod(tolerations=("a=b:NoSchedule",)))
    (container,) = spec["containers"]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert spec["activeDeadlineSeconds"] == 90
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is True, "it sees the red button itself"
    assert spec["tolerations"] == [
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}
    ]


def test_without_tolerations_every_taint_is_tolerated():
    assert spec_of(AgentPod())["tolerations"] == [{"operator": "Exists"}]


def test_names_fit_and_differ():
    long = "ip-10-0-113-204.eu-central-1.compute.internal.example.com"
    names = {pod_name(long, "a"), pod_name(long, "b"), pod_name(long[:-1], "a")}
    assert len(names) == 3
    assert all(len(name) <= 63 and "." not in name for name in names)
    assert len(label_of("2026-" + "x" * 100)) <= 63
