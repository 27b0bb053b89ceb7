"""One holder for each target, whatever machine it comes from: Lease objects beside the agents.

A Lease is named after its target, belongs to the Job of an agent (and goes with it), and is renewed
while the run lasts; one that was not renewed for its duration is anybody's.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.errors import Refused
from harness.substrates.kubernetes import manifest
from harness.substrates.kubernetes.api import Api, ApiError, Json

LASTS_S = 15
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leases:
    """Those that a run holds; `owner` is the Job that they go with."""

    api: Api
    namespace: str
    run_id: str
    targets: tuple[str, ...]
    owner: Json

    def renew(self) -> None:
        """Raises `ApiError`. A merge patch: whoever took it over meanwhile is not overwritten."""
        for target in self.targets:
            found = self.api.get(self._path(target))
            if found["spec"].get("holderIdentity") == self._holder:
                found["spec"]["renewTime"] = _now()
                self.api.once("PUT", self._path(target), body=found)

    def take(self, target: str) -> None:
        """Raises `Refused` with the holder's name while somebody else holds it."""
        try:
            self.api.create(self._there, self._lease(target, {}))
        except ApiError as error:
            if error.status != 409:
                raise
            self._take_over(target)

    def give_back(self) -> None:
        for target in self.targets:
            try:
                found = self.api.find(self._path(target))
                if found and found["spec"].get("holderIdentity") == self._holder:
                    self.api.delete(self._path(target))
            except ApiError as error:
                log.warning("the lease on %s was not given back: %s", target, error.told)

    def _take_over(self, target: str) -> None:
        found = self.api.get(self._path(target))
        if left := _left_s(found):
            holder = found["spec"].get("holderIdentity", "another run")
            raise Refused(f"{target} is held by {holder}, for {left:.0f} s more at least",
                          hint="two runs must not act on one target")  # fmt: skip
        self.api.once("PUT", self._path(target), body=self._lease(target, found["metadata"]))

    def _lease(self, target: str, before: Json) -> Json:
        meta = {
            "name": _name(target), "namespace": self.namespace, "ownerReferences": [self.owner],
            "labels": {manifest.LABEL: manifest.NAME,
                       manifest.RUN: manifest.label_of(self.run_id)},
            "annotations": {"harness.dev/target": target},
        }  # fmt: skip
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
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    def _path(self, target: str) -> str:
        return f"{self._there}/{_name(target)}"


@contextlib.contextmanager
def held(leases: Leases) -> Iterator[Leases]:
    """All of them, or none. Raises `Refused`, `ApiError`."""
    try:
        for target in leases.targets:
            leases.take(target)
        yield leases
    finally:
        leases.give_back()


def _left_s(lease: Json) -> float:
    """How long it is still somebody's; 0 when it was not renewed in time."""
    spec = lease["spec"]
    with contextlib.suppress(KeyError, ValueError):
        renewed = datetime.strptime(spec["renewTime"], _TIME).replace(tzinfo=UTC)
        age_s = (datetime.now(tz=UTC) - renewed).total_seconds()
        return max(0.0, float(spec["leaseDurationSeconds"]) - age_s)
    return 0.0


def _name(target: str) -> str:
    """`pod/shop/web-0` as a name of a Lease, unlike that of any other target."""
    return f"target-{hashlib.sha256(target.encode()).hexdigest()[:20]}"


def _now() -> str:
    return datetime.now(tz=UTC).strftime(_TIME)
