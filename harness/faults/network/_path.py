"""One direction of a link in one look: what was seen, and what else was on the probes' way.

Other effects of the run treat the same packets, on this link or on that of the peer; what they
add is taken out before this one is judged, and a partition hides everything behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from harness.agent.effects import Curve, Flow, InForce, Link, LinkProfile, LinkSeen
from harness.faults.fault import Held, Look
from harness.mechanisms.filters import Probe, meets
from harness.mechanisms.pipeline import QUEUE_S

#: The agent makes a curve true so often: a jump may come so much later.
EVALUATED_S = 0.1
_GRID_S = 0.005


@dataclass(frozen=True)
class Other:
    profile: LinkProfile
    since: float


@dataclass(frozen=True)
class View:
    """`begin` and `end` are monotonic seconds, `others` met the same probes."""

    flow: Flow
    begin: float
    end: float
    others: tuple[Other, ...]

    @property
    def hidden(self) -> bool:
        """Somebody else's partition leaves nothing to see."""
        return any(other.profile.cut for other in self.others)

    @property
    def delay(self) -> float:
        """What the others add, in seconds."""
        return sum(late(o.profile.delay, o.since, self) for o in self.others if o.profile.delay)

    @property
    def jitter(self) -> float:
        return sum(other.profile.jitter for other in self.others)

    @property
    def loss(self) -> float:
        return self._either(lambda profile: profile.loss)

    @property
    def corruption(self) -> float:
        return self._either(lambda profile: profile.corrupt)

    @property
    def copies(self) -> float:
        """How many come of one packet, by the others."""
        return prod(1 + mean(o.profile.duplicate, o, self) for o in self.others)

    @property
    def rate(self) -> float:
        """The slowest of the others, infinite without."""
        rates = [mean(o.profile.rate, o, self) for o in self.others if o.profile.rate]
        return min(rates, default=float("inf"))

    @property
    def straggling(self) -> float:
        """How much later than the rest the others let single packets come, in seconds."""
        held = sum(o.profile.hold for o in self.others if o.profile.reorder)
        return held + self.jitter + sum(QUEUE_S for o in self.others if o.profile.rate)

    def _either(self, share: Callable[[LinkProfile], Curve | None]) -> float:
        return 1 - prod(1 - mean(share(o.profile), o, self) for o in self.others)


def views(held: Held, forth: bool, probe: Probe) -> tuple[View, ...]:
    """The looks, in their order, that another partition does not hide."""
    found = (view_of(held, look, forth, probe) for look in held.looks)
    return tuple(view for view in found if view is not None and not view.hidden)


def view_of(held: Held, look: Look, forth: bool, probe: Probe) -> View | None:
    """One direction of one look; None where it was not measured."""
    assert isinstance(look.seen, LinkSeen), "links are looked at by probes"
    flow = look.seen.forth if forth else look.seen.back
    if flow is None:
        return None
    others = tuple(_others(held, look, look.seen, forth, probe))
    return View(flow, look.seen.begin, look.seen.end, others)


def _others(held: Held, look: Look, seen: LinkSeen, forth: bool, probe: Probe) -> Iterator[Other]:
    assert isinstance(held.resource, Link), "link faults act on links"
    host, peer = held.resource.address, seen.peers[0] if seen.peers else ""
    for resource, effect in look.others:
        if not isinstance(resource, Link) or (seen.outside and resource.address != host):
            continue
        if _on_the_way(effect, resource.address, (host, peer), forth, probe):
            assert isinstance(effect.effect, LinkProfile), "links take profiles"
            yield Other(effect.effect, effect.since)


def _on_the_way(effect: InForce, at: str, ends: tuple[str, str], forth: bool, probe: Probe) -> bool:
    """Seen from the peer's link, what the host sends comes back."""
    host, peer = ends
    if not isinstance(effect.effect, LinkProfile):
        return False
    if at == host:
        return meets(effect.effect, forth, peer, probe)
    return at == peer and meets(effect.effect, not forth, host, probe)


def mean(curve: Curve | None, other: Other, view: View) -> float:
    """The curve's average during the look; 0 without a curve."""
    return curve.mean(view.begin - other.since, view.end - other.since) if curve else 0.0


def late(curve: Curve | None, since: float, view: View) -> float:
    """The average delay during the look: where the delay falls, packets wait for those ahead."""
    if curve is None:
        return 0.0
    if curve.is_constant:
        return curve.at(0.0)
    at, arrival, total, count = view.begin - since - curve.peak, 0.0, 0.0, 0
    while at <= view.end - since:
        arrival = max(arrival, at + curve.at(at)) if at >= 0 else 0.0
        if at >= view.begin - since:
            total, count = total + arrival - at, count + 1
        at += _GRID_S
    return total / max(1, count)
