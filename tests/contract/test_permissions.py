"""The Roles in k8s/ say what the code needs, and no more. `UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from harness.faults import registry
from harness.substrates.kubernetes.manifest import ACCOUNT
from harness.substrates.kubernetes.permissions import RULES, allowed, manifest, rules

K8S = Path(__file__).parents[2] / "k8s"
ROLES = {
    "target/role.yaml": manifest("Role", "harness-targets", rules("targets")),
    "target/role-button.yaml": manifest("Role", ACCOUNT, rules("button")),
    "overlays/cluster-wide/role-button.yaml": manifest("ClusterRole", ACCOUNT, rules("button")),
    "base/role-agents.yaml": manifest(
        "Role", "harness-agents", rules("agents"), namespace="harness-agents"
    ),
    "target/role-ephemeral.yaml": manifest("Role", "harness-aboard", rules("ephemeral")),
    "base/role-load.yaml": manifest("Role", "harness-load", rules("load"), namespace="harness"),
    "overlays/cluster-wide/role.yaml": manifest(
        "ClusterRole", "harness", rules("targets", "cluster")
    ),
}


@pytest.mark.parametrize("path", ROLES)
def test_roles_are_in_step(path: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        (K8S / path).write_text(ROLES[path], encoding="utf-8")
    assert (K8S / path).read_text(encoding="utf-8") == ROLES[path]
    assert all(rule["verbs"] for rule in yaml.safe_load(ROLES[path])["rules"])


def test_a_verb_is_allowed_where_it_is_written() -> None:
    assert allowed(rules("agents"), "", "pods/exec", "get")
    assert not allowed(rules("agents"), "", "pods", "patch")
    assert not allowed(rules("targets"), "", "pods/exec", "get")
    assert not allowed(rules("targets"), "", "pods", "patch")


def test_faults_that_need_a_verb_exist() -> None:
    named = {kind for rule in RULES for kind in rule.faults}
    assert named <= set(registry.names())
