"""The run directory: everything about one run, and the contract between injecting and judging.

experiment.yaml   the file as it was read          plan.json      what was to be done
journal.jsonl     what was done, step by step       facts.json     seed, epoch, versions, system
recording.N.bin   one row a request, worker N       load.N.jsonl   the worker's own state
cluster.jsonl     what a cluster said of itself
log.jsonl         our own log                       services/      the system's logs
report.*          renderings
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.agent.effects import decode, encode
from harness.clock import Epoch
from harness.errors import UsageError
from harness.experiment.model import Abort, Data, Expect, Objective, Request
from harness.experiment.system_model import AgentPod, Cluster
from harness.record.joined import with_joined
from harness.record.journal import Step, read
from harness.record.plan import LoadPlan, Place, Plan, PlannedEffect
from harness.record.redaction import Secrets, redacted
from harness.units import Duration


@dataclass(frozen=True)
class Facts:
    """`epoch.mono_ns` is the end of the warm-up: second 0 of the run (before: its start)."""

    epoch: Epoch
    started: str
    versions: dict[str, str]
    machine: dict[str, str]


class RunDirectory:
    """Paths and whole-file reads and writes; the journal and recordings are written elsewhere."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def recordings(self) -> tuple[Path, ...]:
        return tuple(sorted(self.path.glob("recording.*.bin")))

    @property
    def services(self) -> Path:
        return self.path / "services"

    def steps(self) -> tuple[Step, ...]:
        return read(self.journal)

    def write_plan(self, plan: Plan, secrets: Secrets = ()) -> None:
        self._write("plan.json", redacted(plan_to_json(plan), secrets))

    def plan(self) -> Plan:
        """With the newcomers that its faults followed. Raises `UsageError` for a plan that another
        version wrote, or nobody finished."""
        try:
            plan = plan_from_json(json.loads((self.path / "plan.json").read_text()))
            return with_joined(plan, self.steps())
        except (TypeError, ValueError, KeyError) as error:
            raise UsageError(
                f"its plan cannot be read here: {error}", where=str(self.path),
                hint="it was written by another version of harness: use that one",
            ) from error  # fmt: skip

    def plan_sum(self) -> str:
        """The SHA-256 of plan.json: the journal begins with it."""
        return hashlib.sha256((self.path / "plan.json").read_bytes()).hexdigest()

    def write_facts(self, facts: Facts) -> None:
        self._write("facts.json", dataclasses.asdict(facts))

    def facts(self) -> Facts:
        data = json.loads((self.path / "facts.json").read_text())
        return Facts(**{**data, "epoch": Epoch(**data["epoch"])})

    def _write(self, name: str, data: Any) -> None:
        """Whole or not at all, and on disk before it returns."""
        draft = self.path / f".{name}.new"
        with draft.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.path / name)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """A plan as JSON data, its effects as `agent.effects.encode` writes them."""
    data = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan)}
    data["effects"] = [_fields(effect) for effect in plan.effects]
    for key in ("objectives", "aborts"):
        data[key] = [dataclasses.asdict(item) for item in data[key]]
    data["load"] = dataclasses.asdict(plan.load) if plan.load else None
    data["place"] = dataclasses.asdict(plan.place) if plan.place else None
    return data


def plan_from_json(data: dict[str, Any]) -> Plan:
    return Plan(**{
        **data,
        "effects": tuple(PlannedEffect(**_decoded(item)) for item in data["effects"]),
        "objectives": tuple(Objective(**item) for item in data["objectives"]),
        "aborts": tuple(Abort(**{**a, "lasts": Duration(a["lasts"])}) for a in data["aborts"]),
        "load": load_from_json(data["load"]) if data["load"] else None,
        "place": _place(data["place"]) if data.get("place") else None,
        "variables": _pairs(data["variables"]),
        "warnings": tuple(data["warnings"]),
    })  # fmt: skip


def _place(data: dict[str, Any]) -> Place:
    cluster = data["cluster"]
    pods = {key: _pods(cluster[key]) for key in ("agent", "load") if key in cluster}
    return Place(Cluster(**{**cluster, **pods}), data["server"])


def _pods(data: dict[str, Any]) -> AgentPod:
    lists = {key: tuple(data[key]) for key in ("pull_secrets", "tolerations")}
    return AgentPod(**{**data, **lists, "node_selector": _pairs(data["node_selector"])})


def load_from_json(data: dict[str, Any]) -> LoadPlan:
    return LoadPlan(**{
        **data,
        "rate": _pairs(data["rate"]),
        "headers": _pairs(data["headers"]),
        "requests": tuple(_request(item) for item in data.get("requests", ())),
        "data": tuple(Data(**{**d, "values": tuple(d["values"])}) for d in data.get("data", ())),
    })  # fmt: skip


def _request(data: dict[str, Any]) -> Request:
    return Request(**{**data, "expect": Expect(**data["expect"])})


def _pairs(data: Any) -> tuple[Any, ...]:
    return tuple(tuple(pair) for pair in data)


def _fields(effect: PlannedEffect) -> dict[str, Any]:
    return {f.name: encode(getattr(effect, f.name)) for f in dataclasses.fields(effect)}


def _decoded(data: dict[str, Any]) -> dict[str, Any]:
    return {key: decode(value) for key, value in data.items()}
