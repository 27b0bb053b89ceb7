"""The pods of a system's namespace, as they are now, deleted and evicted."""

from __future__ import annotations

from typing import Any

from harness.agent.effects import Pod, PodState, Processes
from harness.capabilities import HandsError
from harness.mechanisms.pods import MARK
from harness.substrates.kubernetes.api import Api, ApiError, Json

_TOO_MANY = 429


class Pods:
    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace
        self.there = f"/api/v1/namespaces/{namespace}/pods"

    def find(self, pod: Pod, container: str = "") -> PodState | None:
        """That very pod, None when it is gone (another of its name is another pod)."""
        item = self._api.find(self._path(pod.target))
        if item is None or item["metadata"]["uid"] != pod.uid:
            return None
        return state_of(item, container)

    def owned(self, owners: set[str], container: str = "", **query: str) -> tuple[PodState, ...]:
        """Those of these owners that did not end, by name."""
        items = (item for item in self.items(**query) if owners & owners_of(item))
        found = (state_of(item, container) for item in items)
        return tuple(sorted(found, key=lambda pod: pod.name))

    def items(self, **query: str) -> list[Json]:
        return [
            item
            for item in self._api.items(self.there, **query)
            if item.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]

    def delete(self, pod: Pod, grace_s: float) -> None:
        """That very pod: another that has taken its name is left alone."""
        options: dict[str, Any] = {"preconditions": {"uid": pod.uid}}
        if grace_s >= 0:
            options["gracePeriodSeconds"] = round(grace_s)
        self._api.delete(self._path(pod.target), **options)

    def evict(self, name: str, grace_s: float) -> bool:
        """False when a disruption budget does not allow it now."""
        body: Json = {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name},
            "deleteOptions": {"gracePeriodSeconds": round(grace_s)} if grace_s >= 0 else {},
        }  # fmt: skip
        try:
            self._api.once("POST", f"{self.there}/{name}/eviction", body=body)
        except ApiError as error:
            if error.status == _TOO_MANY:
                return False
            if error.status != 404:
                raise
        return True

    def container(self, pod: Pod, name: str) -> Processes:
        """The processes of its container of that name, or of its first."""
        item = self._api.find(self._path(pod.target))
        if item is None or item["metadata"]["uid"] != pod.uid:
            raise HandsError(f"{pod.target} is gone", target_gone=True)
        found = _status(item, name)
        identity = found.get("containerID", "").rpartition("//")[2]
        if not identity or "running" not in found.get("state", {}):
            raise HandsError(f"{pod.target} has no container {name or 'yet'} that runs")
        spec = next(c for c in item["spec"]["containers"] if c["name"] == found["name"])
        ports = tuple(port["containerPort"] for port in spec.get("ports") or ())
        return Processes(pod.target, MARK + pod.uid, ports=ports, container=identity)

    def _path(self, target: str) -> str:
        return f"{self.there}/{target.rpartition('/')[2]}"


def owners_of(item: Json) -> set[str]:
    return {owner["uid"] for owner in item["metadata"].get("ownerReferences", ())}


def state_of(item: Json, container: str = "") -> PodState:
    meta, status = item["metadata"], item.get("status", {})
    ready = (c for c in status.get("conditions") or () if c["type"] == "Ready")
    meant, spec = _status(item, container), _spec(item, container)
    waiting = meant.get("state", {}).get("waiting") or {}
    return PodState(
        name=meta["name"], uid=meta["uid"],
        ready=next((c["status"] for c in ready), "") == "True",
        leaving="deletionTimestamp" in meta, waiting=waiting.get("reason", ""),
        image=spec.get("image", ""), restarts=int(meant.get("restartCount", 0)),
    )  # fmt: skip


def _status(item: Json, container: str) -> Json:
    name = container or item["spec"]["containers"][0]["name"]
    found = item.get("status", {}).get("containerStatuses") or ()
    return next((each for each in found if each["name"] == name), {})


def _spec(item: Json, container: str) -> Json:
    found: list[Json] = item["spec"]["containers"]
    return next((each for each in found if each["name"] == container), found[0])
