"""One holder for each target, whatever machine it comes from: Lease objects beside the agents.

A Lease is named after its target, and renewed while the run lasts; one that was not renewed for its
duration is anybody's. That of a pod belongs to the Job of an agent, and goes with it: whatever was
done to the pod is taken back by then. That of a workload or node has the receipt in an annotation
for as long as something is held there, and stays until it was taken back: whoever reaches the API
server can do that (`remains`), though the journal's machine is lost.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from harness.agent.effects import Node, Resource, Workload, decode, encode
from harness.capabilities import HandsError
from harness.errors import Refused
from harness.substrates.kubernetes import manifest
from harness.substrates.kubernetes.api import Api, ApiError, Json

LASTS_S = 15
WAS = "harness.dev/was"
TARGET = "harness.dev/target"
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"

log = logging.getLogger(__name__)

Settings = dict[str, str]


@dataclass(frozen=True)
class Was:
    """A receipt in the cluster: what was `before`, and what of that we made `ours`."""

    resource: Workload | Node
    before: Settings
    ours: Settings


def chosen(settings: Settings, keys: tuple[str, ...]) -> Settings:
    return {key: settings[key] for key in keys if key in settings}


@dataclass(frozen=True)
class Leases:
    """Those that a run holds; `owner` is the Job that those of pods go with, if there is one."""

    api: Api
    namespace: str
    run_id: str
    resources: tuple[Resource, ...]
    owner: Json | None

    def renew(self) -> None:
        """Raises `HandsError` when one of them is not ours any more. A server that is away is no
        reason: then nobody else can take it either."""
        for target in self._targets():
            with contextlib.suppress(ApiError):
                found = self.api.find(self._path(target))
                if found is None or found["spec"].get("holderIdentity") != self._holder:
                    raise HandsError(f"the Lease on {target} was lost", lost=True)
                self.api.once("PUT", self._path(target), body=prolonged(found, self._holder))

    def with_one_of(self, resource: Resource) -> Leases:
        """These and one more. Raises as `take`."""
        self.take(target_of(resource))
        return replace(self, resources=(*self.resources, resource))

    def take(self, target: str) -> None:
        """Raises `Refused` with the holder's name while somebody else holds it."""
        try:
            self.api.create(self._there, self._lease(target, {}))
        except ApiError as error:
            if error.status != 409:
                raise
            self._take_over(target)

    def note(self, was: Was) -> None:
        """Before anything of it is changed. Raises `ApiError`: then nothing may be changed."""
        text = json.dumps(encode(was.__dict__), sort_keys=True)
        self._annotate(was.resource, text)

    def forget(self, resource: Workload | Node) -> None:
        """All of it is as before."""
        self._annotate(resource, None)

    def held_over(self) -> tuple[Was, ...]:
        """What the runs that held these before us left there."""
        found = (self.api.get(self._path(target)) for target in self._targets())
        return tuple(was for was in map(was_in, found) if was)

    def give_back(self) -> None:
        """But for those with a receipt: whoever recovers needs it."""
        for target in self._targets():
            try:
                found = self.api.find(self._path(target))
                ours = found and found["spec"].get("holderIdentity") == self._holder
                if found and ours and not was_in(found):
                    self.api.delete(self._path(target))
            except ApiError as error:
                log.warning("the lease on %s was not given back: %s", target, error.told)

    def _targets(self) -> tuple[str, ...]:
        return tuple(sorted(set(map(target_of, self.resources))))

    def _annotate(self, resource: Workload | Node, text: str | None) -> None:
        body = {"metadata": {"annotations": {WAS: text}}}
        try:
            self.api.patch(self._path(target_of(resource)), body)
        except ApiError as error:
            if error.status != 404 or text:  # recovered, and its Lease with it
                raise

    def _take_over(self, target: str) -> None:
        found = self.api.get(self._path(target))
        if left := left_s(found):
            raise Refused(f"{target} is held by {holder_of(found)}, for {left:.0f} s more at least",
                          hint="two runs must not act on one target")  # fmt: skip
        self.api.once("PUT", self._path(target), body=self._lease(target, found["metadata"]))

    def _lease(self, target: str, before: Json) -> Json:
        meta: Json = {
            "name": _name(target), "namespace": self.namespace,
            "labels": {manifest.LABEL: manifest.NAME,
                       manifest.RUN: manifest.label_of(self.run_id)},
            "annotations": {**(before.get("annotations") or {}), TARGET: target},
        }  # fmt: skip
        if self.owner and not target.startswith(_STAYING):
            meta["ownerReferences"] = [self.owner]
        if before:
            meta["resourceVersion"] = before["resourceVersion"]
        spec = {"holderIdentity": self._holder, "leaseDurationSeconds": LASTS_S,
                "acquireTime": _now(), "renewTime": _now()}  # fmt: skip
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta,
                "spec": spec}  # fmt: skip

    @property
    def _holder(self) -> str:
        return f"{getpass.getuser()}@{socket.gethostname()}/{self.run_id}"

    @property
    def _there(self) -> str:
        return leases_in(self.namespace)

    def _path(self, target: str) -> str:
        return f"{self._there}/{_name(target)}"


@contextlib.contextmanager
def held(leases: Leases) -> Iterator[Leases]:
    """All of them, or none. Raises `Refused`, `ApiError`."""
    try:
        for target in sorted(set(map(target_of, leases.resources))):
            leases.take(target)
        yield leases
    finally:
        leases.give_back()


def leases_in(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def target_of(resource: Resource) -> str:
    return f"{type(resource).__name__.lower()} of {resource.target}"


_STAYING = ("workload of ", "node of ")


def was_in(lease: Json) -> Was | None:
    text = (lease["metadata"].get("annotations") or {}).get(WAS)
    return Was(**decode(json.loads(text))) if text else None


def holder_of(lease: Json) -> str:
    return str(lease["spec"].get("holderIdentity") or "another run")


def left_s(lease: Json) -> float:
    """How long it is still somebody's; 0 when it was not renewed in time."""
    spec = lease["spec"]
    with contextlib.suppress(KeyError, ValueError):
        renewed = datetime.strptime(spec["renewTime"], _TIME).replace(tzinfo=UTC)
        age_s = (datetime.now(tz=UTC) - renewed).total_seconds()
        return max(0.0, float(spec["leaseDurationSeconds"]) - age_s)
    return 0.0


def prolonged(lease: Json, holder: str) -> Json:
    """As it is to be written so that `holder` has it from now on."""
    spec = {**lease["spec"], "holderIdentity": holder, "renewTime": _now()}
    return {**lease, "spec": spec}


def _name(target: str) -> str:
    """`pod/shop/web-0` as a name of a Lease, unlike that of any other target."""
    return f"target-{hashlib.sha256(target.encode()).hexdigest()[:20]}"


def _now() -> str:
    return datetime.now(tz=UTC).strftime(_TIME)
