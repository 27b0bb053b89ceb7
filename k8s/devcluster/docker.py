"""kind and minikube, where a Docker engine answers: the same images, zones and kubeconfig."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devcluster import layout as layouts
from devcluster.images import recipes
from devcluster.layout import SOURCE
from devcluster.shell import attempt, run

_START_S = 600
_ZONES, _REGIONS = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


def up(tool: str, name: str) -> Path:
    """Its kubeconfig; the user's own is left alone."""
    folder = layouts.clusters() / name
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "kubeconfig"
    (folder / "tool").write_text(tool, encoding="utf-8")
    {"kind": _kind_up, "minikube": _minikube_up}[tool](name, config)
    return config


def down(name: str) -> None:
    folder = layouts.clusters() / name
    tool = (folder / "tool").read_text(encoding="utf-8")
    if tool == "kind":
        run("kind", "delete", "cluster", "--name", name, timeout_s=120)
    else:
        run("minikube", "delete", "--profile", name, timeout_s=120)
    shutil.rmtree(folder)


def is_up(name: str) -> bool:
    return (layouts.clusters() / name / "tool").exists()


def _kind_up(name: str, config: Path) -> None:
    command = ["kind", "create", "cluster", "--name", name, "--wait", "120s"]
    files = ["--config", str(SOURCE.parent / "kind.yaml"), "--kubeconfig", str(config)]
    run(*command, *files, timeout_s=_START_S)
    for image in _own_images():
        run("kind", "load", "image-archive", str(image), "--name", name, timeout_s=_START_S)


def _minikube_up(name: str, config: Path) -> None:
    os.environ["KUBECONFIG"] = str(config)
    words = (SOURCE.parent / "minikube.args").read_text(encoding="utf-8").split()
    run("minikube", "start", "--profile", name, *words, timeout_s=_START_S)
    for node, zone in zip((name, f"{name}-m02", f"{name}-m03"), layouts.ZONES, strict=True):
        labels = (f"{_ZONES}={zone}", f"{_REGIONS}=r1")
        run("minikube", "kubectl", "--profile", name, "--", "label", "--overwrite", "node", node,
            *labels, timeout_s=_START_S)  # fmt: skip
    for image in _own_images():
        run("minikube", "image", "load", str(image), "--profile", name, timeout_s=_START_S)


def _own_images() -> list[Path]:
    """Those that run on a cluster; pause and DNS every cluster has of its own."""
    return recipes.build(recipes.ours())


def answers() -> bool:
    if not shutil.which("docker"):
        return False
    asked = attempt("docker", "version", "--format", "{{.Server.Version}}", timeout_s=10)
    return asked.returncode == 0
