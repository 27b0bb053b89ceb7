"""What a load worker is started with, and how it learns when the load begins.

The driver writes `load.N.spec.json`, waits until every worker has said `ready`, and then writes
`load.go`: all begin at the same monotonic instant, which still lies ahead. `load.stop` ends them.
Files, since a worker may live on a host of another world and share no more than the run directory.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from harness.record.directory import load_from_json
from harness.record.plan import LoadPlan


@dataclass(frozen=True)
class WorkerSpec:
    """`hosts` are the names that load may go to, besides the host of the plan's URL."""

    plan: LoadPlan
    worker: int
    workers: int
    directory: str
    hosts: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The program that does this."""
        return f"harness.load.{'locust' if self.plan.users else 'fast'}_worker"


def write_spec(spec: WorkerSpec) -> Path:
    path = Path(spec.directory) / f"load.{spec.worker}.spec.json"
    path.write_text(json.dumps(dataclasses.asdict(spec)))
    return path


def read_spec(path: Path) -> WorkerSpec:
    data = json.loads(path.read_text())
    plan = load_from_json(data["plan"])
    return WorkerSpec(**{**data, "plan": plan, "hosts": tuple(data["hosts"])})


def write_go(directory: Path, t0_ns: int) -> None:
    """Whole or not at all: workers look for this file."""
    draft = directory / ".load.go.new"
    draft.write_text(json.dumps({"t0_ns": t0_ns}))
    draft.rename(directory / "load.go")


def write_stop(directory: Path) -> None:
    """Ask all workers to send no more; they end once what is in flight has ended."""
    (directory / "load.stop").touch()


def asked_to_stop(directory: Path) -> bool:
    return (directory / "load.stop").exists()


def read_go(directory: Path) -> int | None:
    """When the load begins, in monotonic nanoseconds; None as long as nobody has said it."""
    try:
        return int(json.loads((directory / "load.go").read_text())["t0_ns"])
    except FileNotFoundError:
        return None
