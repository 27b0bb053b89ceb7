"""Nodes cordoned, drained of the system's pods, and without power."""

from __future__ import annotations

import socket
import time
from typing import Any

from harness.agent.effects import Cordoned, Node, PodState, PoweredOff
from harness.capabilities import HandsError
from harness.substrates.kubernetes.api import Api, Json
from harness.substrates.kubernetes.leases import Leases, Was, chosen
from harness.substrates.kubernetes.objects import node_of
from harness.substrates.kubernetes.pods import Pods, state_of
from harness.substrates.kubernetes.power import Power

#: A disruption budget is waited for so long; who still stays is seen by the witness.
_PATIENCE_S = 15.0
_BACK_S = 30.0
_KUBELET, _CONNECT_S = 10250, 0.5


class Nodes:
    def __init__(self, api: Api, pods: Pods, power: Power, leases: Leases | None) -> None:
        self._leases = leases
        self._api = api
        self._pods = pods
        self._power = power
        self._addresses: dict[Node, str] = {}
        self._made: dict[Node, set[type]] = {}

    def settings(self, node: Node) -> dict[str, str]:
        found = node_of(self._object(node))
        self._addresses[node] = found.address
        return {
            "unschedulable": str(found.cordoned).lower(),
            "power": "on" if self._answers(node) else "off",
        }

    def make(self, node: Node, before: dict[str, str], effects: dict[type, Any]) -> None:
        if PoweredOff in effects and before.get("power") == "off":
            said = f"{node.target} does not answer: nobody can tell whether it has power to be cut"
            raise HandsError(said, target_gone=True)
        cordon = effects.get(Cordoned)
        ours = {**({"unschedulable": "true"} if cordon else {}),
                **({"power": "off"} if PoweredOff in effects else {})}  # fmt: skip
        if ours and self._leases:
            self._leases.note(Was(node, chosen(before, tuple(ours)), ours))
        if effects:
            self._made.setdefault(node, set()).update(effects)
        if PoweredOff in effects:
            self._power.off(_name(node))
        elif before.get("power") == "on" and self._is_ours_to_switch(node):
            self._switch_on(node)
        self._power.settled(_name(node), held=PoweredOff in effects)
        self._cordon(node, cordoned=cordon is not None or before["unschedulable"] == "true")
        if cordon is not None and cordon.drained:
            self._drain(node, cordon.grace)
        if not ours and self._leases:
            self._leases.forget(node)

    def restore(self, node: Node, was: Was) -> tuple[str, ...]:
        """As before; what was done, in words. Raises `HandsError` where there is no switch."""
        now = self.settings(node)
        if was.before.get("power", now["power"]) != now["power"] and self._power.missing:
            raise HandsError(f"{node.target} is without power, and {self._power.missing}")
        mine = {key: old for key, old in was.before.items() if now[key] != old}
        self.make(node, {**now, **was.before}, {})
        return tuple(f"{key} of {node.target} is {old} again" for key, old in mine.items())

    def look(self, node: Node) -> tuple[tuple[PodState, ...], bool, bool]:
        """The system's pods that could be evicted, whether it is cordoned, whether it answers."""
        pods = tuple(state_of(item) for item in self._movable(node))
        return pods, node_of(self._object(node)).cordoned, self._answers(node)

    def inhabitants(self, node: Node) -> int:
        return len(self._pods.items(fieldSelector=f"spec.nodeName={_name(node)}"))

    def _cordon(self, node: Node, *, cordoned: bool) -> None:
        if node_of(self._object(node)).cordoned != cordoned:
            self._api.patch(_path(node), {"spec": {"unschedulable": cordoned or None}})

    def _drain(self, node: Node, grace_s: float) -> None:
        """What stays where its disruption budget forbids it is tried until our patience ends."""
        until = time.monotonic() + _PATIENCE_S
        left = [item["metadata"]["name"] for item in self._movable(node)]
        while left and time.monotonic() < until:
            left = [name for name in left if not self._pods.evict(name, grace_s)]
            time.sleep(0.2 if left else 0.0)

    def _movable(self, node: Node) -> list[Json]:
        """Those of the system's namespace that a drain takes: no daemons, no static pods."""
        found = self._pods.items(fieldSelector=f"spec.nodeName={_name(node)}")
        return [item for item in found if not _stays(item)]

    def _answers(self, node: Node) -> bool:
        """Does its kubelet take connections? A look from outside, which asks no API server."""
        if node not in self._addresses:
            self._addresses[node] = node_of(self._object(node)).address
        try:
            socket.create_connection((self._addresses[node], _KUBELET), _CONNECT_S).close()
        except OSError:
            return False
        return True

    def _is_ours_to_switch(self, node: Node) -> bool:
        """Off, and maybe by us: somebody else recovers what he did not make."""
        ours = PoweredOff in self._made.get(node, {PoweredOff})
        return ours and not self._power.missing and not self._answers(node)

    def _switch_on(self, node: Node) -> None:
        """A switch may refuse what was switched before: a node that boots slowly is waited for."""
        said = f"{node.target} has power again and does not answer"
        try:
            self._power.on(_name(node))
        except HandsError as error:
            said = str(error)
        until = time.monotonic() + _BACK_S
        while not self._answers(node):
            if time.monotonic() > until:
                raise HandsError(said)
            time.sleep(0.2)

    def _object(self, node: Node) -> Json:
        return self._api.get(_path(node))


def _name(node: Node) -> str:
    return node.target.partition("/")[2]


def _path(node: Node) -> str:
    return f"/api/v1/nodes/{_name(node)}"


def _stays(item: Json) -> bool:
    meta = item["metadata"]
    kinds = [owner["kind"] for owner in meta.get("ownerReferences", ())]
    static = "kubernetes.io/config.mirror" in (meta.get("annotations") or {})
    return "DaemonSet" in kinds or static or "deletionTimestamp" in meta
