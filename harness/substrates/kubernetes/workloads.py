"""Workloads held at another size, or rolled out with another image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.agent.effects import Image, PodState, Replicas, Workload
from harness.capabilities import HandsError
from harness.substrates.kubernetes.api import STRATEGIC, Api, Json
from harness.substrates.kubernetes.leases import Leases, Was, chosen
from harness.substrates.kubernetes.objects import selector_text
from harness.substrates.kubernetes.pods import Pods, owners_of

#: Kinds that have a size.
SIZED = ("deployment", "statefulset", "replicaset")
_IMAGE = "image of "


class Workloads:
    def __init__(self, api: Api, pods: Pods, leases: Leases | None) -> None:
        self._api = api
        self._pods = pods
        self._leases = leases
        self._ours: dict[tuple[Workload, str], str] = {}

    def settings(self, workload: Workload) -> dict[str, str]:
        """What may be written: its size, and the image of each container."""
        return _settings(self._object(workload))

    def make(self, workload: Workload, before: dict[str, str], effects: dict[type, Any]) -> None:
        wanted = dict(before)
        if size := effects.get(Replicas):
            self._check_size(workload)
            wanted["replicas"] = str(size.count)
        if image := effects.get(Image):
            wanted[_named(before, image.container, workload)] = image.image
        now = self.settings(workload)
        changes = {key: value for key, value in wanted.items() if now.get(key) != value}
        self._check_foreign(workload, before, now, changes)
        held = tuple(key for key, value in wanted.items() if before.get(key) != value)
        if held and self._leases:
            self._leases.note(Was(workload, chosen(before, held), chosen(wanted, held)))
        if changes:
            self._ours.update({(workload, key): value for key, value in changes.items()})
            self._change(workload, changes)
        if not held and self._leases:
            self._leases.forget(workload)

    def is_over(self, workload: Workload, effect: Any) -> bool:
        """It is not, or not any more, as this effect wants it."""
        now = self.settings(workload)
        if isinstance(effect, Replicas):
            return now.get("replicas") != str(effect.count)
        return isinstance(effect, Image) and effect.image not in now.values()

    def restore(self, workload: Workload, was: Was) -> tuple[str, ...]:
        """As before wherever it is still as we made it; what was done, in words."""
        now = self.settings(workload)
        mine = {key: old for key, old in was.before.items() if now.get(key) == was.ours[key]}
        if mine:
            self._change(workload, mine)
        done = [f"{key} of {workload.target} is {old} again" for key, old in mine.items()]
        return (*done, *(
            f"{key} of {workload.target} is {now.get(key)} by somebody's hand, and is left alone"
            for key, old in was.before.items() if now.get(key) not in (old, was.ours[key])
        ))  # fmt: skip

    def _change(self, workload: Workload, changes: dict[str, str]) -> None:
        self._api.patch(_path(workload), _patch(changes), STRATEGIC)

    def look(self, workload: Workload, container: str) -> tuple[tuple[PodState, ...], int]:
        """Its pods, by ownership and not by labels alone, and how many are asked for."""
        item = self._object(workload)
        labels = selector_text(item["spec"]["selector"])
        uid = item["metadata"]["uid"]
        owners = {uid, *self._sets_of(uid, labels)} if _kind(workload) == "deployment" else {uid}
        return self._pods.owned(owners, container, labelSelector=labels), _size(item)

    def _sets_of(self, uid: str, labels: str) -> Iterator[str]:
        path = f"/apis/apps/v1/namespaces/{self._pods.namespace}/replicasets"
        for item in self._api.items(path, labelSelector=labels):
            if uid in owners_of(item):
                yield item["metadata"]["uid"]

    def _check_foreign(
        self, workload: Workload, before: dict[str, str], now: dict[str, str],
        changes: dict[str, str],
    ) -> None:  # fmt: skip
        """A value that is neither as before nor ours is somebody's decision."""
        for key in changes:
            ours = self._ours.get((workload, key))
            if ours is not None and now.get(key) not in (before.get(key), ours):
                raise HandsError(
                    f"{workload.target}: somebody set {key} to {now.get(key)} meanwhile; it was "
                    f"{before.get(key)}, and is left alone"
                )

    def _check_size(self, workload: Workload) -> None:
        _, namespace, name = workload.target.split("/")
        path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
        for item in self._api.items(path):
            reference = item["spec"]["scaleTargetRef"]
            if (reference["kind"].lower(), reference["name"]) == (_kind(workload), name):
                scaler = item["metadata"]["name"]
                raise HandsError(f"{workload.target} has the size that autoscaler {scaler} wants")

    def _object(self, workload: Workload) -> Json:
        return self._api.get(_path(workload))


def _kind(workload: Workload) -> str:
    return workload.target.partition("/")[0]


def _path(workload: Workload) -> str:
    kind, namespace, name = workload.target.split("/")
    return f"/apis/apps/v1/namespaces/{namespace}/{kind}s/{name}"


def _size(item: Json) -> int:
    return int(
        item["spec"].get("replicas", item.get("status", {}).get("desiredNumberScheduled", 0))
    )


def _settings(item: Json) -> dict[str, str]:
    containers = item["spec"]["template"]["spec"]["containers"]
    images = {_IMAGE + each["name"]: each["image"] for each in containers}
    size = {"replicas": str(item["spec"]["replicas"])} if "replicas" in item["spec"] else {}
    return {**size, **images}


def _named(before: dict[str, str], container: str, workload: Workload) -> str:
    names = [key for key in before if key.startswith(_IMAGE)]
    key = _IMAGE + container if container else names[0]
    if key not in before:
        known = ", ".join(name[len(_IMAGE) :] for name in names)
        raise HandsError(f"{workload.target} has no container {container}: it has {known}")
    return key


def _patch(changes: dict[str, str]) -> Json:
    spec: Json = {}
    if "replicas" in changes:
        spec["replicas"] = int(changes["replicas"])
    containers = [
        {"name": key[len(_IMAGE) :], "image": value}
        for key, value in changes.items()
        if key.startswith(_IMAGE)
    ]
    if containers:
        spec["template"] = {"spec": {"containers": containers}}
    return {"spec": spec}
