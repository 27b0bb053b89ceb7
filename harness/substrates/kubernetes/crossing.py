"""Measures the way that load takes from here against no way at all, before the load begins.

Bounded in count and time, so that it costs a run two seconds or so. It judges nothing: what cannot
be measured is said, and the run goes on.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from harness.capabilities import HandsError
from harness.mechanisms.reach import Reached, reach
from harness.record.crossing import Crossing, Pair
from harness.substrates.hands import AgentHands
from harness.substrates.kubernetes.objects import Pod
from harness.substrates.substrate import Way

PAIRS, WITHIN_S = 100, 2.0
#: Of one question; two of them end it, so that all stays below the lease of the agents.
_EACH_S = 0.7
_NOBODY = "no agent of this run is in the cluster to ask from beside the pod"

Ask = Callable[[], Reached]


def measured(
    way: Way, url: str, port: int, pods: Iterable[Pod], agents: Mapping[str, AgentHands]
) -> Crossing:
    """`url` is where the load goes now, `port` that of the pods; `agents` by node, or by pod."""
    said, beside = _beside(tuple(pods), port, agents)
    pairs, lacking = _pairs(_by(way, url), beside)
    if not beside:
        lacking = lacking or _NOBODY
    return Crossing(way.service, url, said, way.forwarded, pairs, lacking)


def _pairs(by: Ask, beside: Ask | None) -> tuple[tuple[Pair, ...], str]:
    """The first does not count: whatever has to be found out or started is, by then."""
    found: list[Pair] = []
    until = time.monotonic() + WITHIN_S
    try:
        while len(found) <= PAIRS and time.monotonic() < until:
            found.append(Pair(*by(), *(beside() if beside else (None, None))))
    except (OSError, HandsError) as error:
        return tuple(found[1:]), f"it could not be asked: {error}"
    return tuple(found[1:]), ""


def _by(way: Way, url: str) -> Ask:
    there = urlsplit(url)
    secure = there.scheme == "https"
    port = there.port or (443 if secure else 80)

    def ask() -> Reached:
        host = way.host or there.hostname or ""
        return reach(address(), port, host, there.path, _EACH_S, secure=secure)

    def address() -> str:
        if not known:
            found = socket.getaddrinfo(there.hostname, port, type=socket.SOCK_STREAM)
            known.append(str(found[0][4][0]))
        return known[0]

    known: list[str] = []
    return ask


def _beside(
    pods: tuple[Pod, ...], port: int, agents: Mapping[str, AgentHands]
) -> tuple[str, Ask | None]:
    """From the pod's own node where an agent is there, else from any: the network between nodes is
    then no part of what the way adds, and it is said."""
    if not pods or not agents or not port:
        return "", None
    near = ((pod, at) for pod in pods for at in (pod.name, pod.node) if at in agents)
    pod, at = next(near, (pods[0], min(agents)))
    where = "itself" if at == pod.name else f"its node {at}" if at == pod.node else f"node {at}"
    agent = agents[at]
    said = f"pod {pod.name} asked from {where}"
    return said, lambda: agent.reach(pod.address, port, pod.address, "/", _EACH_S)
