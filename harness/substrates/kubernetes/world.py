"""A system on a cluster while a run lasts: hands on its pods, a place for load, what goes wrong."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from harness.agent.button import HALT
from harness.agent.effects import Resource
from harness.capabilities import Hands, HandsError
from harness.errors import Refused
from harness.experiment.system_model import Cluster
from harness.load.driver import Launch
from harness.record.moves import Move
from harness.substrates.attached.children import AttachedChild, tied_child
from harness.substrates.kubernetes.api import Api, ApiError, Json
from harness.substrates.kubernetes.leases import LASTS_S, Leases
from harness.substrates.kubernetes.topology import Found
from harness.substrates.kubernetes.watching import PodWatch

#: The red button is looked at so often: within 2 s everything is to be taken back.
_LOOK_S = 0.5


class ClusterWorld:
    """`leases` are renewed for as long as it is open."""

    def __init__(
        self, api: Api, cluster: Cluster, hands: Hands, found: Found,
        resources: tuple[Resource, ...], leases: Leases,
        launch: Launch | None = None, doors: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self.name = ""
        self.launch = launch
        self._doors = doors
        self.hands = hands
        self._api = api
        self._cluster = cluster
        self._pods = PodWatch(api, cluster.namespace, found, resources, self._claim)
        self._children: list[AttachedChild] = []
        self._over = threading.Event()
        self._halted = ""
        self._rolling = ""
        self._leases = leases
        self._lost = ""
        self._thread = threading.Thread(target=self._look, name="cluster", daemon=True)
        self._thread.start()

    def spawn(self, host: str, argv: tuple[str, ...], log: Path) -> AttachedChild:
        """Load comes from this machine. The process ends with us, however we end."""
        child = tied_child(argv, log)
        self._children.append(child)
        return child

    def url(self, planned: str) -> str:
        return self._doors.get(planned, planned)

    def halted(self) -> str:
        return self._halted

    def gate(self) -> str:
        if down := self._pods.unready:
            return f"not ready: {', '.join(down[:5])}"
        return self._rolling

    def troubles(self) -> tuple[str, ...]:
        if why := self._lost or self._pods.bypassed:
            raise HandsError(why, lost=True)
        found, self._pods.troubles = tuple(self._pods.troubles), []
        return found

    def moves(self) -> tuple[Move, ...]:
        found, self._pods.moves = tuple(self._pods.moves), []
        return found

    def close(self) -> None:
        self._over.set()
        for child in self._children:
            child.terminate()
        self._thread.join(2.0)

    # ------------------------------------------------------------ the thread

    def _look(self) -> None:
        """Nothing here may end a run by failing: the lease does that."""
        renewed = time.monotonic()
        while not self._over.wait(_LOOK_S):
            with contextlib.suppress(ApiError):
                self._look_once()
            if time.monotonic() > renewed + LASTS_S / 3:
                renewed = time.monotonic()
                self._renew()

    def _renew(self) -> None:
        try:
            self._leases.renew()
        except HandsError as error:
            self._lost = str(error)

    def _look_once(self) -> None:
        there = f"/api/v1/namespaces/{self._cluster.namespace}"
        namespace = self._api.once("GET", there, read_s=1.0)
        why = (namespace["metadata"].get("annotations") or {}).get(HALT, "")
        self._halted = f"{HALT}={why} on namespace {self._cluster.namespace}" if why else ""
        self._rolling = self._rollout()
        self._pods.look()

    def _rollout(self) -> str:
        """A rollout that is under way in the namespace, in words."""
        there = f"/apis/apps/v1/namespaces/{self._cluster.namespace}/deployments"
        try:
            found = self._api.once("GET", there, read_s=1.0).get("items") or ()
        except ApiError:
            return ""
        names = [item["metadata"]["name"] for item in found if _is_rolling(item)]
        return f"a rollout is under way: {', '.join(names)}" if names else ""

    def _claim(self, resource: Resource) -> str:
        """A newcomer has one holder as well."""
        try:
            self._leases = self._leases.with_one_of(resource)
        except (ApiError, Refused) as error:
            return str(error)
        return ""


def _is_rolling(deployment: Json) -> bool:
    spec, status = deployment["spec"], deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return not seen or status.get("updatedReplicas", 0) < spec.get("replicas", 1)
