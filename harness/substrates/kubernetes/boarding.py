"""Agents in their targets: ephemeral containers, where the cluster forbids privileged pods.

Such a container shares its pod's network and nothing else, so it carries out what rules of that
network can. It cannot be removed: when its agent ends its process does, and the pod goes on showing
that it was there. Caveat: it ends with its pod, and with it everything that it made.
"""

from __future__ import annotations

import time
from dataclasses import replace

from harness.agent.effects import (
    Act,
    Edge,
    Effect,
    KillContainer,
    LinkProfile,
    Processes,
    Resource,
    Snapshot,
)
from harness.errors import NotReady
from harness.experiment.system_model import AgentPod
from harness.mechanisms.nfqueue import refusal
from harness.substrates.kubernetes import manifest
from harness.substrates.kubernetes.api import STRATEGIC, Api, Json
from harness.substrates.kubernetes.hands import DistantHands
from harness.substrates.kubernetes.objects import Pairs
from harness.substrates.kubernetes.stream import Exec

EPHEMERAL = "ephemeral"
READY_S = 60.0
_LOOK_S = 0.1
_ENFORCED = "pod-security.kubernetes.io/enforce"
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "CreateContainerError",
             "CreateContainerConfigError", "RunContainerError")  # fmt: skip


#: The pod's account is the application's, and its network may be what is cut.
UNSEEN = (
    "agents in ephemeral containers do not look at the red button themselves: the harness does, "
    "and where nobody can tell them their lease ends all that they hold"
)


def cannot(resource: Resource, does: Effect | Act, labels: Pairs) -> str:
    """What an agent in its target is unable to do, or is not allowed in a namespace with these
    labels; empty when it can."""
    acts = isinstance(does, LinkProfile | KillContainer) or isinstance(resource, Edge | Processes)
    if not acts:
        return ""  # the API server's own
    level = dict(labels).get(_ENFORCED, "privileged")
    if level != "privileged":
        return f"Pod Security ({level}) refuses a container with NET_ADMIN"
    return _beyond(does) if isinstance(does, LinkProfile) else _other(resource)


def _other(resource: Resource) -> str:
    what = "redirect connections"
    if not isinstance(resource, Edge):
        what = (
            "reach the pod's processes: the first of a container takes no SIGSTOP or SIGKILL from "
            "beside it, and it has no SYS_PTRACE"
        )
    return f"an agent in an ephemeral container cannot {what} (agent: {{way: node}} can)"


def _beyond(profile: LinkProfile) -> str:
    if profile.direction != "forth":
        return "from an ephemeral container it cannot be seen what comes in: direction: forth can"
    if profile.rate:
        return "from an ephemeral container a rate cannot be measured (agent: {way: node} can)"
    return refusal([profile])


def board(api: Api, namespace: str, pod: str, name: str, agent: AgentPod) -> None:
    """Put a container of that name into the pod, and wait until it runs. Raises `ApiError`,
    `NotReady`."""
    there = f"/api/v1/namespaces/{namespace}/pods/{pod}"
    body = {"spec": {"ephemeralContainers": [manifest.boarder(name, agent)]}}
    api.patch(f"{there}/ephemeralcontainers", body, STRATEGIC)
    until = time.monotonic() + READY_S
    while True:
        state = _state(api.get(there), name)
        if "running" in state:
            return
        why = str((state.get("waiting") or state.get("terminated") or {}).get("reason", "not yet"))
        if "terminated" in state or why in _HOPELESS or time.monotonic() > until:
            hint = "the System file names its image: kubernetes.agent.image"
            raise NotReady(f"the agent in pod {pod} does not start: {why}", hint=hint)
        time.sleep(_LOOK_S)


def _state(pod: Json, name: str) -> Json:
    statuses = pod.get("status", {}).get("ephemeralContainerStatuses") or ()
    return next((s.get("state") or {} for s in statuses if s["name"] == name), {})


class BoardingHands(DistantHands):
    """The agent in one pod. Its receipts tell what stays behind."""

    def __init__(self, stream: Exec, run_id: str) -> None:
        super().__init__(stream)
        self._stays = f"an ephemeral container of run {run_id}, ended: none can be removed"

    def snapshot(self, resource: Resource) -> Snapshot:
        taken = super().snapshot(resource)
        return replace(taken, settings={**taken.settings, "stays": self._stays})
