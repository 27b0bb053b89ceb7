"""Images into the nodes' containerd, without a registry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devcluster import processes
from devcluster.layout import Layout
from devcluster.shell import attempt, run
from devcluster.waiting import until

_IMPORT_S = 120


def load(layout: Layout, node: str, archives: list[Path]) -> None:
    """Those that the node does not have yet."""
    ctr = [*processes.inside(layout, node), "ctr", "-n", "k8s.io"]
    until(f"containerd on {node}", lambda: attempt(*ctr, "version").returncode == 0, 60)
    for archive in archives:
        mark = layout.folder(node) / "images" / archive.name
        if not mark.exists():
            run(*ctr, "images", "import", str(archive), timeout_s=_IMPORT_S)
            _note(mark)


def load_everywhere(layout: Layout, archives: list[Path]) -> None:
    nodes = layout.worker_names
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(lambda node: load(layout, node, archives), nodes))


def _note(mark: Path) -> None:
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
