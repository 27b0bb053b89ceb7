"""Labels and annotations by which a namespace's owner allows faults, and stops them."""

from __future__ import annotations

from harness.agent.button import HALT
from harness.experiment.system_model import Cluster
from harness.substrates.kubernetes.agents import refusal
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.connection import Connection, connect
from harness.substrates.kubernetes.consent import ALLOW


def allow(cluster: Cluster, words: str) -> Connection:
    """Label the namespace; an empty word takes the label away. Raises `Refused`, `NotReady`."""
    return _patch(cluster, {"labels": {ALLOW: words or None}})


def halt(cluster: Cluster, reason: str) -> Connection:
    """The red button; without a reason it is released."""
    return _patch(cluster, {"annotations": {HALT: reason or None}})


def _patch(cluster: Cluster, metadata: dict[str, dict[str, str | None]]) -> Connection:
    there = connect(cluster.context, cluster.kubeconfig)
    try:
        Api(there.configuration).patch(
            f"/api/v1/namespaces/{cluster.namespace}", {"metadata": metadata}
        )
    except ApiError as error:
        what = f"namespace {cluster.namespace} cannot be changed ({there})"
        raise refusal(error, what) from None
    return there
