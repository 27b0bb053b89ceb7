"""What queues and filters make these effects true in one direction of a card. Pure.

A packet meets every effect whose filter matches, so each set of effects that a packet can meet has
a class of its own, with one netem for the sum of them; the largest sets are looked for first.
"""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from harness.agent.effects import PROBE_PORTS, Curve, InForce, LinkProfile, Spared
from harness.mechanisms.packets import ICMP, NUMBERS
from harness.mechanisms.pipeline import QUEUE_S
from harness.mechanisms.qdiscs import Match, Netem

#: A prio queue has 16 bands, and the first is for what meets nothing.
MOST = 4
_PROTOCOL, _SOURCE, _DESTINATION, _PORTS, _ECHO = 8, 12, 16, 20, 24
_FRAME = 1514
_UNLIMITED, _LEAST = 100_000, 8


@dataclass(frozen=True)
class Class:
    """Packets that meet exactly these effects; any of the `matches` is enough. `apart`: they are
    among those that some effect spares, and no probes of ours."""

    effects: Tuple[InForce, ...]
    matches: Tuple[Tuple[Match, ...], ...]
    apart: bool = False

    @property
    def names(self) -> Tuple[str, ...]:
        return tuple(effect.id for effect in self.effects)


def refusal(effects: Sequence[LinkProfile]) -> str:
    """Why netem cannot make these true, or nothing."""
    if any(profile.corrupt for profile in effects):
        return "netem damages headers too, which is a loss and no corruption"
    if any(profile.cut == "reject" for profile in effects):
        return "netem cannot tell the sender of a packet"
    if any(profile.reorder and (profile.delay or profile.rate) for profile in effects):
        return "netem cannot reorder what it delays"
    if any(p.reorder for p in effects) and any(p.delay or p.rate for p in effects):
        return "netem cannot reorder what it delays"
    if any(s.ttl for p in effects if p.direction != "back" for s in p.spared):
        return "netem cannot tell the answers to a kubelet's probes from others (`spare`)"
    return ""


def classes(effects: Sequence[InForce], forth: bool) -> Tuple[Class, ...]:
    """What is spared first, then the largest; at most 15 for the four effects that are possible,
    and as many and one for each kind of what is spared."""
    mine = [e for e in effects if profile_of(e).direction in ("both", "forth" if forth else "back")]
    found: List[Class] = []
    for spared in dict.fromkeys(s for e in mine for s in profile_of(e).spared):
        within = _spared_ones(spared, forth)
        treating = [e for e in mine if spared not in profile_of(e).spared]
        found += [replace(each, apart=True) for each in _sets_of(treating, forth, within)]
        found.append(Class((), tuple(within), apart=True))
    return (*found, *_sets_of(mine, forth, [()]))


def _sets_of(
    effects: Sequence[InForce], forth: bool, within: List[Tuple[Match, ...]]
) -> Iterator[Class]:
    for size in range(len(effects), 0, -1):
        for chosen in combinations(effects, size):
            filters = [_alternatives(profile_of(e), forth) for e in chosen]
            matches = tuple(_intersection([within, *filters]))
            if matches:
                yield Class(chosen, matches)


def probes_in(matches: Tuple[Match, ...]) -> Iterator[Tuple[Match, ...]]:
    """The same, of packets from or to a port of our probes (128 ports, so that a mask holds)."""
    first, mask = PROBE_PORTS[0], 0xFFFF - (len(PROBE_PORTS) - 1)
    for value, masked in ((first << 16, mask << 16), (first, mask)):
        combined = _joined([*matches, (value, masked, _PORTS)])
        if combined is not None:
            yield combined
    echo = _joined(
        [*matches, (ICMP << 16, 0xFF << 16, _PROTOCOL), (first << 16, mask << 16, _ECHO)]
    )
    if echo is not None:
        yield echo


def netem_of(effects: Sequence[InForce], now: float, jitter: Callable[[str], float]) -> Netem:
    """The sum of these at that time; `jitter` is where the one of that id stands."""
    profiles = [(e, profile_of(e)) for e in effects]

    def value(curve: Optional[Curve], effect: InForce) -> float:
        return curve.at(now - effect.since) if curve else 0.0

    def either(name: str) -> float:
        return 1 - math.prod(1 - value(getattr(p, name), e) for e, p in profiles)

    delay = sum(max(0.0, value(p.delay, e) + jitter(e.id)) for e, p in profiles if p.delay)
    rates = [value(p.rate, e) for e, p in profiles if p.rate]
    rate = min(rates, default=0.0)
    held = [p for _, p in profiles if p.reorder]
    limit = math.ceil(rate * (QUEUE_S + delay) / 8 / _FRAME) if rate else _UNLIMITED
    return Netem(
        delay=held[0].hold if held else delay, limit=max(_LEAST, limit),
        loss=1.0 if any(p.cut for _, p in profiles) else either("loss"),
        duplicate=either("duplicate"), at_once=1 - either("reorder") if held else 0.0, rate=rate,
    )  # fmt: skip


def profile_of(effect: InForce) -> LinkProfile:
    assert isinstance(effect.effect, LinkProfile), "links take profiles"
    return effect.effect


# ---------------------------------------------------------------- filters


def _alternatives(profile: LinkProfile, forth: bool) -> List[Tuple[Match, ...]]:
    """Each is enough; the matches of one must all hold. Header options are not looked behind."""
    peers = [
        (
            int.from_bytes(socket.inet_aton(peer), "big"),
            0xFFFFFFFF,
            _DESTINATION if forth else _SOURCE,
        )
        for peer in profile.peers
    ]
    ports = [(port << up, 0xFFFF << up, _PORTS) for port in profile.ports for up in (16, 0)]
    protocols = [profile.protocol] if profile.protocol else ["tcp", "udp"] if ports else []
    numbers = [(NUMBERS[name] << 16, 0xFF << 16, _PROTOCOL) for name in protocols]
    given = [found for found in (peers, numbers, ports) if found]
    return list(product(*given))


def _spared_ones(spared: Spared, forth: bool) -> List[Tuple[Match, ...]]:
    """With a TTL only of what comes in: that of an answer tells nothing."""
    at, up = (_DESTINATION, 0) if forth else (_SOURCE, 0 if spared.ttl else 16)
    ttl, masked = spared.ttl << 24, 0xFF << 24 if spared.ttl else 0
    return [
        (
            (NUMBERS[protocol] << 16 | ttl, 0xFF << 16 | masked, _PROTOCOL),
            (int.from_bytes(socket.inet_aton(address), "big"), 0xFFFFFFFF, at),
            (port << up, 0xFFFF << up, _PORTS),
        )
        for address in spared.addresses for port in spared.ports for protocol in ("tcp", "udp")
    ]  # fmt: skip


def _intersection(parts: Sequence[List[Tuple[Match, ...]]]) -> Iterator[Tuple[Match, ...]]:
    for chosen in product(*parts):
        joined = _joined([match for part in chosen for match in part])
        if joined is not None:
            yield joined


def _joined(matches: Sequence[Match]) -> Optional[Tuple[Match, ...]]:
    """One match for each word of the header; None where two contradict each other."""
    words: Dict[int, Tuple[int, int]] = {}
    for value, mask, at in matches:
        known, seen = words.get(at, (0, 0))
        if (known ^ value) & seen & mask:
            return None
        words[at] = known | (value & mask), seen | mask
    return tuple((value, mask, at) for at, (value, mask) in sorted(words.items()))
