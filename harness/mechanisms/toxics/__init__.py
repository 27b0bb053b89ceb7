"""What the proxy can do to one stream of one connection: a small class a file, as in Toxiproxy.

A new toxic is a file here with a subclass of `toxic.Stage`, and a line in `TOXICS`. `down` is none:
it acts on the proxy itself (`proxy_server`).
"""

from __future__ import annotations

from typing import Dict, Optional, Type

from harness.agent.effects import Curve, InForce, Toxic
from harness.mechanisms.toxics.bandwidth import Bandwidth
from harness.mechanisms.toxics.latency import Latency
from harness.mechanisms.toxics.limit_data import LimitData
from harness.mechanisms.toxics.reset_peer import Reset, ResetPeer
from harness.mechanisms.toxics.slicer import Slicer
from harness.mechanisms.toxics.slow_close import SlowClose
from harness.mechanisms.toxics.timeout import Silence, Timeout
from harness.mechanisms.toxics.toxic import Stage

#: By Toxiproxy's names, and as it does them.
TOXICS: Dict[str, Type[Stage]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
    "noop": Stage,
}
#: As faults mean them: two are stricter.
KINDS: Dict[str, Type[Stage]] = {**TOXICS, "timeout": Silence, "reset_peer": Reset}
DOWN = "down"
STREAMS = ("upstream", "downstream")


def stage(effect: InForce, now: float, seed: float) -> Stage:
    """The toxic at work on one stream of one connection."""
    toxic = toxic_of(effect)
    made = KINDS[toxic.kind](effect.id, dict(toxic.numbers), effect.since, seed)
    made.now = now
    return made


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


def rhythm_of(effect: InForce) -> Optional[Curve]:
    """When a toxic that is `down` is so: more than 0. None for all other toxics."""
    toxic = toxic_of(effect)
    if toxic.kind != DOWN:
        return None
    return dict(toxic.numbers).get(DOWN, Curve.constant(1.0))
