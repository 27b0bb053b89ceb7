"""What becomes of pods, workloads, endpoints and nodes while a run goes on, as its record keeps it.

A helper and no part of the experiment: what may not be watched is told once, and missing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from harness.record.cluster import FILE, Kind, Sighting, line_of
from harness.substrates.kubernetes.account import Account
from harness.substrates.kubernetes.api import Api, ApiError, Json
from harness.substrates.kubernetes.objects import node_of, pod_of, selects
from harness.substrates.kubernetes.watches import Watch

_SLICE_OF = "kubernetes.io/service-name"

#: State and words of an object; None: it is nothing to us.
Look = Callable[[Json], "tuple[str, str] | None"]


@contextlib.contextmanager
def sightings(
    api: Api, account: Account, namespace: str, workloads: dict[str, str], directory: Path
) -> Iterator[None]:
    """Written to the run directory until the block ends. `workloads` by service. What the account
    may not watch is not asked for."""
    with (directory / FILE).open("a", buffering=1) as out:
        notes = _Notes(out, workloads)
        watches = [
            Watch(api, f"{prefix}/{resource}", seer)
            for prefix, resource, seer in _seers(namespace, notes)
            if _may(account, prefix, resource, namespace, seer)
        ]
        try:
            yield
        finally:
            for watch in watches:
                watch.end()
            notes.end()


def _seers(namespace: str, notes: _Notes) -> list[tuple[str, str, _Seer]]:
    """Where, what, and who looks at it."""
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}"
    return [
        (apps, "deployments", _Workloads(notes, "workload", workload_state, "deployments")),
        (apps, "statefulsets", _Workloads(notes, "workload", workload_state, "statefulsets")),
        (core, "pods", _Seer(notes, "pod", pod_state, "pods")),
        (slices, "endpointslices", _Endpoints(notes, "endpoints", endpoints_state, "endpoints")),
        (core, "events", _Events(notes, "event", event_state, "events")),
        ("/api/v1", "nodes", _Seer(notes, "node", node_state, "nodes")),
    ]


def _may(account: Account, prefix: str, resource: str, namespace: str, seer: _Seer) -> bool:
    group = prefix.split("/")[2] if prefix.startswith("/apis/") else ""
    where = namespace if "/namespaces/" in prefix else ""
    try:
        may = all(account.may(verb, group, resource, where) for verb in ("list", "watch"))
    except ApiError as error:
        seer.never(error.told)
        return False
    if not may:
        seer.never(f"this account may not watch {resource}")
    return may


class _Notes:
    """Lines of the record, from any thread; and whose pods are whose."""

    def __init__(self, out: TextIO, workloads: dict[str, str]) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._services = {workload: service for service, workload in workloads.items()}
        self._selectors: list[tuple[tuple[tuple[str, str], ...], str]] = []
        self._over = False

    def write(
        self, kind: Kind, name: str, state: str, says: str, service: str = "", at_ns: int = 0
    ) -> None:
        at_ns = at_ns or time.monotonic_ns()
        line = line_of(Sighting(at_ns, kind, name, state, says, service))
        with self._lock:
            if not self._over:
                self._out.write(line)

    def end(self) -> None:
        with self._lock:
            self._over = True

    def learn(self, item: Json) -> None:
        """Whose pods a workload of the system has."""
        service = self._services.get(named(item), "")
        chosen = tuple(sorted((item["spec"].get("selector", {}).get("matchLabels") or {}).items()))
        if service and (chosen, service) not in self._selectors:
            self._selectors.append((chosen, service))

    def service_of(self, item: Json) -> str:
        own = self._services.get(named(item), "")
        labels = tuple(sorted((item["metadata"].get("labels") or {}).items()))
        return own or next((s for chosen, s in self._selectors if selects(chosen, labels)), "")


class _Seer:
    """Notes an object when its state or its words are others than before. `these` are what it looks
    at, as people call them."""

    def __init__(self, notes: _Notes, kind: Kind, look: Look, these: str) -> None:
        self._these = these
        self._notes = notes
        self._kind: Kind = kind
        self._look = look
        self._known: dict[str, tuple[str, str]] = {}
        self._items: dict[str, Json] = {}

    def listed(self, items: list[Json]) -> None:
        there = {item["metadata"]["uid"] for item in items}
        for item in items:
            self.changed(item)
        for uid in [uid for uid in self._items if uid not in there]:
            self.deleted(self._items[uid])

    def changed(self, item: Json) -> None:
        if found := self._look(item):
            uid = item["metadata"]["uid"]
            self._items[uid] = item
            if self._known.get(uid) != found:
                self._known[uid] = found
                self._note(item, *found)

    def deleted(self, item: Json) -> None:
        uid = item["metadata"]["uid"]
        if self._items.pop(uid, None):
            del self._known[uid]
            self._note(item, "absent", "gone")

    def blind(self, why: str, since_ns: int) -> None:
        state = "lost" if why else "back"
        says = why or "can be watched again"
        self._notes.write("watch", self._these, state, says, at_ns=since_ns)

    def never(self, why: str) -> None:
        self._notes.write("watch", self._these, "never", why)

    def _note(self, item: Json, state: str, says: str) -> None:
        name = item["metadata"]["name"]
        service = self._notes.service_of(item)
        self._notes.write(self._kind, name, state, says, service)


class _Workloads(_Seer):
    def changed(self, item: Json) -> None:
        self._notes.learn(item)
        super().changed(item)

    def _note(self, item: Json, state: str, says: str) -> None:
        self._notes.write(self._kind, named(item), state, says, self._notes.service_of(item))


class _Endpoints(_Seer):
    """A Service may have several slices: each is told by itself, under the Service's name."""

    def _note(self, item: Json, state: str, says: str) -> None:
        name = item["metadata"].get("labels", {}).get(_SLICE_OF, item["metadata"]["name"])
        self._notes.write(self._kind, name, state, says)


class _Events(_Seer):
    """Those of before are of before; those of a gap are news."""

    _begun = False

    def listed(self, items: list[Json]) -> None:
        for item in items:
            if self._begun:
                self.changed(item)
            self._known.setdefault(item["metadata"]["uid"], self._look(item) or ("", ""))
        self._begun = True

    def deleted(self, item: Json) -> None:
        """They grow old; that is no news."""

    def _note(self, item: Json, state: str, says: str) -> None:
        about: dict[str, Any] = item.get("involvedObject", {})
        name = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
        self._notes.write(self._kind, name, state, says)


def named(item: Json) -> str:
    """`deployment/api`; the lists of the API leave the kind of their items out."""
    spec, meta = item.get("spec", {}), item["metadata"]
    kind = item.get("kind") or ("StatefulSet" if "serviceName" in spec else "Deployment")
    return f"{kind.lower()}/{meta['name']}"


def pod_state(item: Json) -> tuple[str, str]:
    pod = pod_of(item)
    where = f" on {pod.node}" if pod.node else ""
    state = "running" if pod.phase == "Running" else "pending"
    if pod.leaving:
        state = "leaving"
    elif pod.ended:
        state = "ended"
    elif pod.ready:
        state = "ready"
    words = {"running": "running, not ready", "ended": pod.phase.lower()}.get(state, state)
    words += f", restarted {pod.restarts} times" if pod.restarts else ""
    return state, f"{words}{where}" + (f" ({pod.waiting})" if pod.waiting else "")


def workload_state(item: Json) -> tuple[str, str]:
    """As its controller tells it: whole when every replica of the newest template is ready."""
    spec, status, meta = item["spec"], item.get("status", {}), item["metadata"]
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    updated = status.get("updatedReplicas", 0 if status.get("updateRevision") else ready)
    if status.get("currentRevision") == status.get("updateRevision") and "serviceName" in spec:
        updated = wanted
    seen = status.get("observedGeneration", 0) >= meta.get("generation", 0)
    whole = seen and ready >= wanted and updated >= wanted
    says = f"{ready} of {wanted} ready"
    says += f", {updated} of the newest template" if updated < wanted else ""
    return "whole" if whole else "short", says


def endpoints_state(item: Json) -> tuple[str, str]:
    endpoints = item.get("endpoints") or ()
    ready = sum(e.get("conditions", {}).get("ready", True) is not False for e in endpoints)
    says = f"{ready} of {len(endpoints)} endpoints ready"
    return "whole" if ready and ready == len(endpoints) else "short", says


def node_state(item: Json) -> tuple[str, str]:
    node = node_of(item)
    bad = [
        c["type"] for c in item.get("status", {}).get("conditions") or ()
        if c["type"] != "Ready" and c["status"] == "True"
    ]  # fmt: skip
    state = "cordoned" if node.cordoned else "ready"
    state = state if node.ready else "lost"
    words = "not ready" if state == "lost" else state
    return state, ", ".join([words, *bad])


def event_state(item: Json) -> tuple[str, str]:
    return item.get("reason", ""), " ".join(str(item.get("message", "")).split())[:300]
