"""What the API server says of a scratch namespace, its node, and the agents of a run there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from harness.selftest.cluster.objects import Slot
from harness.substrates.kubernetes import manifest
from harness.substrates.kubernetes.api import Api, Json
from harness.substrates.kubernetes.leases import leases_in
from harness.substrates.kubernetes.objects import node_of

_OURS = "harness.dev/"


@dataclass(frozen=True)
class Seen:
    """Raises `ApiError` while nobody answers."""

    api: Api
    slot: Slot
    agents: str

    def pods(self, *apps: str) -> list[Json]:
        """Those that are there to stay."""
        where = f"app in ({','.join(apps)})"
        found = self.api.items(f"{self.slot.path}/pods", labelSelector=where)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def settings(self) -> dict[str, str]:
        """What a fault may write: specs of workloads, the size and image among them, and whether
        the node takes pods."""
        made = self.api.items(self.slot.deployments)
        found = {f"deployment {_name(d)}": json.dumps(d["spec"], sort_keys=True) for d in made}
        spec = self.node()["spec"]
        return {**found, f"node {self.slot.node}": f"cordoned: {bool(spec.get('unschedulable'))}"}

    def node(self) -> Json:
        return self.api.get(f"/api/v1/nodes/{self.slot.node}")

    def zone(self) -> str:
        return node_of(self.node()).zone

    def region(self) -> str:
        return node_of(self.node()).region

    def neighbours(self) -> tuple[str, ...]:
        """The namespaces of all who live on the node, and our own."""
        there = self.api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={self.slot.node}")
        names = {str(pod["metadata"]["namespace"]) for pod in there}
        return tuple(sorted({*names, self.slot.namespace}))

    def marks(self) -> Iterator[str]:
        """Annotations of ours on what was shot at."""
        things = [
            *self.api.items(self.slot.deployments), *self.api.items(f"{self.slot.path}/pods"),
            self.api.get(self.slot.path), self.node(),
        ]  # fmt: skip
        for thing in things:
            for mark in thing["metadata"].get("annotations") or {}:
                if mark.startswith(_OURS):
                    yield f"annotation {mark} on {_name(thing)}"

    def agents_of(self, run_id: str) -> list[Json]:
        """Pods of agents, that of a recovery as well."""
        return list(self._of_run(f"/api/v1/namespaces/{self.agents}/pods", run_id))

    def objects_of(self, run_id: str) -> Iterator[str]:
        """Jobs, pods and Leases of a run that are there."""
        places = {
            "Job": f"/apis/batch/v1/namespaces/{self.agents}/jobs",
            "pod": f"/api/v1/namespaces/{self.agents}/pods",
            "Lease": leases_in(self.agents),
        }
        for kind, path in places.items():
            for item in self._of_run(path, run_id):
                yield f"{kind} {_name(item)}"

    def _of_run(self, path: str, run_id: str) -> Iterator[Json]:
        names = {run_id, f"{run_id}-again", f"recover-{run_id}", f"recover-{run_id}-again"}
        labels = ",".join(sorted(map(manifest.label_of, names)))
        return self.api.items(path, labelSelector=f"{manifest.RUN} in ({labels})")


def differences(before: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for name in before.keys() | now.keys():
        was, is_ = before.get(name, "not there"), now.get(name, "gone")
        if was != is_:
            yield f"{name} is not as before: {_where(was, is_)}"


def _where(was: str, now: str) -> str:
    """From a bit before the first letter that differs."""
    at = next((i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), 0)
    return f"{now[max(0, at - 30) : at + 30]}, was {was[max(0, at - 30) : at + 30]}"


def _name(item: Json) -> str:
    return str(item["metadata"]["name"])
