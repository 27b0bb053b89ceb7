"""A cluster's names, folders and addresses. Everything else is computed from these."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

CONTROL_PLANE = "cp"
ZONES = "abc"
BLOCKS = 8
SOURCE = Path(__file__).resolve().parent
_CLAIMS = Path("/run/harness-devcluster")


class Failed(Exception):
    """What a person has to know; the command ends with status 1."""


@dataclass(frozen=True)
class Layout:
    """One cluster. `block` is its share of 198.18.0.0/15, so that several can live side by side.
    A `patient` one waits an hour for a node's heartbeat: thousands of them cost what little CPU
    there is."""

    name: str
    block: int
    workers: int
    patient: bool = False

    @property
    def state(self) -> Path:
        return clusters() / self.name

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def link(self) -> str:
        """The machine's end of the cable into the cluster; also the name of its cgroups."""
        return f"devcluster{self.block}"

    @property
    def names(self) -> tuple[str, ...]:
        return (CONTROL_PLANE, *self.worker_names)

    @property
    def worker_names(self) -> tuple[str, ...]:
        return tuple(f"n{i}" for i in range(1, self.workers + 1))

    @property
    def services(self) -> str:
        return f"198.18.{128 + 4 * self.block}.0/22"

    @property
    def api_service(self) -> str:
        return f"198.18.{128 + 4 * self.block}.1"

    @property
    def dns(self) -> str:
        return f"198.18.{128 + 4 * self.block}.10"

    @property
    def machine(self) -> str:
        return f"198.18.{self.block}.254"

    @property
    def api(self) -> str:
        return f"https://{self.address(CONTROL_PLANE)}:6443"

    def address(self, node: str) -> str:
        return f"198.18.{self.block}.{10 + number(node)}"

    def pods(self, node: str) -> str:
        return f"198.19.{16 * self.block + number(node)}.0/24"

    def zone(self, node: str) -> str:
        return ZONES[(number(node) - 1) % len(ZONES)]

    def folder(self, node: str) -> Path:
        return self.state / node

    def save(self) -> None:
        self.state.mkdir(parents=True)
        (self.state / "cluster.json").write_text(json.dumps(asdict(self)), encoding="utf-8")


def number(node: str) -> int:
    return 0 if node == CONTROL_PLANE else int(node[1:])


def load(name: str) -> Layout:
    """The cluster of that name. Raises `Failed` when there is none."""
    try:
        text = (clusters() / name / "cluster.json").read_text(encoding="utf-8")
    except OSError:
        raise Failed(f"there is no cluster {name!r}: make cluster brings it up") from None
    return Layout(**json.loads(text))


def claim(name: str, workers: int, *, patient: bool = False) -> Layout:
    """A layout with addresses that no other cluster on this machine has."""
    _CLAIMS.mkdir(exist_ok=True)
    for block in range(BLOCKS):
        layout = Layout(name, block, workers, patient)
        held = _CLAIMS / str(block)
        if held.is_symlink() and not held.exists():
            held.unlink()  # its state is gone: nobody's
        try:
            held.symlink_to(layout.state)
        except FileExistsError:
            continue
        return layout
    raise Failed(f"{BLOCKS} clusters are up already: {sorted(map(os.readlink, _CLAIMS.iterdir()))}")


def release(layout: Layout) -> None:
    held = _CLAIMS / str(layout.block)
    if held.is_symlink() and held.readlink() == layout.state:
        held.unlink()


def search_path() -> str:
    """Administrators' programs, and Go at its usual place, are not on everybody's PATH."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin"


def cache() -> Path:
    """What is worth keeping between clusters: binaries, images."""
    given = os.environ.get("HARNESS_DEVCLUSTER_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "harness" / "devcluster"


def clusters() -> Path:
    return cache() / "clusters"
