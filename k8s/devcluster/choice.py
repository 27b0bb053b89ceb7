"""Which cluster this machine gets: one that is given, one of Docker's, or one of namespaces."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from devcluster import docker
from devcluster.layout import Failed


@dataclass(frozen=True)
class Choice:
    """`kind` is given, kind, minikube or namespaces; `kubeconfig` only where one is given."""

    kind: str
    why: str
    kubeconfig: Path | None = None


def choose() -> Choice:
    """Raises `Failed` when the kubeconfig that is named is not there."""
    given = os.environ.get("HARNESS_KUBECONFIG")
    if given:
        if not Path(given).is_file():
            raise Failed(f"HARNESS_KUBECONFIG={given}: there is no such file")
        return Choice("given", f"HARNESS_KUBECONFIG is {given}", Path(given))
    if docker.answers():
        for tool in ("kind", "minikube"):
            if shutil.which(tool):
                return Choice(tool, f"a Docker engine answers, and {tool} is installed")
        return Choice(
            "namespaces", "a Docker engine answers, but neither kind nor minikube is here"
        )
    return Choice("namespaces", "no Docker engine answers")
