"""Which cluster is meant: `--kubeconfig`, the environment, or the pod that we run in ourselves.

The user's kubeconfig is read and never written: the client would store refreshed tokens in it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import Refused

if TYPE_CHECKING:
    from kubernetes.client import Configuration

FROM_ENVIRONMENT = ("HARNESS_KUBECONFIG", "KUBECONFIG")
IN_CLUSTER = "in-cluster"
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True)
class Connection:
    """`kubeconfig` is its absolute path, empty in a pod."""

    kubeconfig: str
    context: str
    server: str
    configuration: Configuration

    def __str__(self) -> str:
        return f"context {self.context}, server {self.server}"


def connect(context: str, kubeconfig: str = "") -> Connection:
    """Nothing is asked of the server yet. Raises `Refused`."""
    path = kubeconfig or _from_environment()
    return _from_file(context, path) if path or not in_pod() else _in_cluster(context)


def in_pod() -> bool:
    """Is the cluster that we run in what is meant, unless somebody says otherwise?"""
    return not _from_environment() and "KUBERNETES_SERVICE_HOST" in os.environ and _TOKEN.exists()


def _from_environment() -> str:
    return next(filter(None, map(os.environ.get, FROM_ENVIRONMENT)), "")


def _from_file(context: str, path: str) -> Connection:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config

    found = _configuration(Configuration())
    try:
        contexts, active = list_kube_config_contexts(path or None)
        names = [item["name"] for item in contexts]
        if context and context not in names:
            raise Refused(
                f"the kubeconfig {path or '~/.kube/config'} has no context {context!r}",
                hint=f"it has: {', '.join(names)}; --kubeconfig chooses another file",
            )
        load_kube_config(path or None, context or None, found, persist_config=False)
    except (ConfigException, OSError, TypeError, KeyError) as error:
        raise Refused(
            f"the kubeconfig cannot be used: {error}",
            hint="--kubeconfig FILE, or HARNESS_KUBECONFIG, or KUBECONFIG",
        ) from None
    path = str(Path(path or "~/.kube/config").expanduser().absolute())
    return Connection(path, context or active["name"], found.host, found)


def _in_cluster(context: str) -> Connection:
    from kubernetes.client import Configuration
    from kubernetes.config import load_incluster_config

    if context and context != IN_CLUSTER:
        raise Refused(
            f"the system names context {context!r}, and in a pod there is none",
            hint="leave context out, or give a kubeconfig; uid pins the cluster everywhere",
        )
    found = _configuration(Configuration())
    load_incluster_config(found)
    return Connection("", IN_CLUSTER, found.host, found)


def _configuration(found: Configuration) -> Configuration:
    found.retries = False  # retries are ours: bounded, and told apart
    return found
