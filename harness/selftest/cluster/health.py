"""Before each shot a scratch namespace is as it was made, whatever the last one did to it.

What the API server says of a node and its pods may be of a minute ago: the node is looked at, too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from harness.errors import HarnessError, NotReady
from harness.selftest.cluster.eyes import Eyes
from harness.selftest.cluster.seen import Seen
from harness.selftest.cluster.switches import Switches
from harness.selftest.plain import ASKER, SERVER
from harness.substrates.kubernetes.api import ApiError, Json
from harness.substrates.kubernetes.objects import node_of, pod_of

_PATIENCE_S = 120.0
_POWER_S = 15.0
_AGAIN_S = 0.6


def heal(seen: Seen, eyes: Eyes, made: tuple[Json, ...], switches: Switches | None) -> None:
    """`made`: the Deployments as they were created. Raises `NotReady`."""
    begin = time.monotonic()
    revived = False
    while ills := _asked(seen, eyes, made):
        waited_s = time.monotonic() - begin
        if waited_s > _PATIENCE_S:
            raise NotReady(f"namespace {seen.slot.namespace} is not as it was made: {ills[0]}")
        if not revived and (waited_s > _POWER_S or eyes.shut):
            revived = True
            revive(seen, switches)
        time.sleep(_AGAIN_S)


def _asked(seen: Seen, eyes: Eyes, made: tuple[Json, ...]) -> list[str]:
    if eyes.look((), (), anew=True) is None:
        return [f"nobody can look at node {seen.slot.node}"]
    try:
        return list(_ills(seen, made)) or list(_unseen(seen, eyes))
    except ApiError as error:
        return [error.told]


def _ills(seen: Seen, made: tuple[Json, ...]) -> Iterator[str]:
    """What is wrong, in words; what can be mended at once is."""
    node = node_of(seen.node())
    if node.cordoned:
        seen.api.patch(f"/api/v1/nodes/{node.name}", {"spec": {"unschedulable": None}})
        yield f"node {node.name} was cordoned"
    if not node.ready:
        yield f"node {node.name} is not ready"
    for wanted in made:
        yield from _of_workload(seen, wanted)


def _unseen(seen: Seen, eyes: Eyes) -> Iterator[str]:
    """Pods that are ready and not there."""
    names = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in seen.pods(ASKER, SERVER)}
    look = eyes.look(tuple(names), (), anew=True)
    for uid, name in names.items():
        if look is None or not look["network"].get(uid):
            yield f"{name} is not to be seen on its node"


def _of_workload(seen: Seen, wanted: Json) -> Iterator[str]:
    name = wanted["metadata"]["name"]
    path = f"{seen.slot.deployments}/{name}"
    now = seen.api.get(path)
    if _written(now) != _written(wanted):
        seen.api.patch(path, {"spec": wanted["spec"]})
        yield f"{name} had other settings"
    status = now.get("status", {})
    if status.get("observedGeneration", 0) < now["metadata"]["generation"]:
        yield f"{name} is not looked after yet"
    pods = list(seen.api.items(f"{seen.slot.path}/pods", labelSelector=f"app={name}"))
    if len(pods) != 1:
        yield f"{name} has {len(pods)} pods"
    for pod in pods:
        yield from _of_pod(seen, pod)


def _of_pod(seen: Seen, pod: Json) -> Iterator[str]:
    """One that was started again is replaced, or the next start would be put off."""
    name = pod["metadata"]["name"]
    again = any(c["restartCount"] for c in pod["status"].get("containerStatuses", ()))
    if "deletionTimestamp" in pod["metadata"]:
        yield f"{name} is leaving"
    elif again or pod["status"].get("phase") in ("Failed", "Succeeded"):
        seen.api.delete(f"{seen.slot.path}/pods/{name}", gracePeriodSeconds=0)
        yield f"{name} was started again"
    elif not pod_of(pod).ready:
        yield f"{name} is not ready"


def _written(deployment: Json) -> tuple[object, ...]:
    spec = deployment["spec"]
    return spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]


def begin_anew(seen: Seen, switches: Switches | None) -> None:
    """Whoever watches the API server waits longer after each of its falls, and forgets them after
    two quiet minutes. A shot at it is to be the first that they know of."""
    if switches is None:
        return
    for watcher in _watchers(seen):
        switches("stop", *watcher)
        switches("start", *watcher)


def _watchers(seen: Seen) -> tuple[tuple[str, str], ...]:
    """Each with where it runs."""
    node = seen.slot.node
    return (
        ("cp", "kube-controller-manager"), ("cp", "kube-scheduler"),
        (node, "kubelet"), (node, "kube-proxy"),
    )  # fmt: skip


def revive(seen: Seen, switches: Switches | None) -> None:
    """Switch on whatever a strike that came to no end, or its fault, has left down. What the API
    says of the node may be of a minute ago."""
    if switches is None:
        return
    node = seen.slot.node
    commands = (
        ("poweron", node), ("cable", node, "up"),
        ("start", node, "containerd"), ("start", "cp", "kube-apiserver"),
        *(("start", *watcher) for watcher in _watchers(seen)),
    )  # fmt: skip
    for command in commands:
        with contextlib.suppress(HarnessError):  # it is on
            switches(*command)
