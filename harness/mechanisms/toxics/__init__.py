"""What the proxy can do to one stream of one connection: a small class a file, as in Toxiproxy.

A new toxic is a file here with a subclass of `toxic.Stage`, and a line in `KINDS`. `down` is none:
it acts on the proxy itself (`proxy_server`).
"""

from __future__ import annotations

from typing import Dict, Type

from harness.agent.effects import InForce, Toxic
from harness.mechanisms.toxics.latency import Latency
from harness.mechanisms.toxics.reset_peer import ResetPeer
from harness.mechanisms.toxics.timeout import Timeout
from harness.mechanisms.toxics.toxic import Stage

#: By Toxiproxy's names.
KINDS: Dict[str, Type[Stage]] = {"latency": Latency, "timeout": Timeout, "reset_peer": ResetPeer}
DOWN = "down"
STREAMS = ("upstream", "downstream")


def stage(effect: InForce, begun: float) -> Stage:
    """The toxic at work on one stream, from `begun` (monotonic seconds) on."""
    toxic = toxic_of(effect)
    return KINDS[toxic.kind](effect.id, dict(toxic.numbers), effect.since, begun)


def toxic_of(effect: InForce) -> Toxic:
    """Raises ValueError for what no proxy of ours can do: better now than silently nothing."""
    toxic = effect.effect
    if not isinstance(toxic, Toxic):
        raise ValueError(f"{type(toxic).__name__} is no toxic")  # noqa: TRY004
    if toxic.kind != DOWN and toxic.kind not in KINDS:
        raise ValueError(f"no toxic {toxic.kind}; there are {', '.join([*KINDS, DOWN])}")
    if toxic.stream not in STREAMS:
        raise ValueError(f"stream {toxic.stream} is none of {', '.join(STREAMS)}")
    if toxic.kind == DOWN and toxic.share < 1:
        raise ValueError("down is for all connections: a closed port refuses everybody")
    return toxic
