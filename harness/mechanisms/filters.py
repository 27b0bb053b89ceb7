"""Which packets a link profile is about, and which probe stands for them.

One answer for all who ask: the relay that treats packets, the witness that sends probes, and the
judgement that takes other effects on a probe's path out again.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from harness.agent.effects import LinkProfile
from harness.mechanisms.packets import NUMBERS, Packet
from harness.mechanisms.sparing import Sparing

#: Where probes go when a profile names no port: the port of the discard service.
_ANY_PORT = 9


@dataclass(frozen=True)
class Probe:
    """What a probe looks like; `port` is its destination, 0 for ICMP."""

    protocol: str
    port: int


def probe_for(profile: LinkProfile) -> Probe:
    """A probe that the profile is about."""
    protocol = profile.protocol or "tcp"
    if protocol == "icmp":
        return Probe(protocol, 0)
    return Probe(protocol, profile.ports[0] if profile.ports else _ANY_PORT)


def meets(profile: LinkProfile, forth: bool, peer: str, probe: Probe) -> bool:
    """Would the profile treat such a probe on its way to (`forth`) or from that peer?"""
    return (
        profile.direction in ("both", "forth" if forth else "back")
        and (not profile.peers or peer in profile.peers)
        and (not profile.ports or probe.port in profile.ports)
        and profile.protocol in ("", probe.protocol)
    )


class Filter:
    """A profile's filter, made ready for many packets."""

    def __init__(self, profile: LinkProfile) -> None:
        self._directions = {True: profile.direction != "back", False: profile.direction != "forth"}
        self._peers = frozenset(socket.inet_aton(peer) for peer in profile.peers)
        self._ports = frozenset(profile.ports)
        self._protocol = NUMBERS.get(profile.protocol, 0)
        self._sparing = Sparing(profile.spared)

    def matches(self, packet: Packet, forth: bool) -> bool:
        spared = self._sparing.covers(packet, forth)  # it also learns from what does not match
        peer = packet.destination if forth else packet.source
        return (
            self._directions[forth]
            and (not self._peers or peer in self._peers)
            and (not self._ports or packet.dport in self._ports or packet.sport in self._ports)
            and (not self._protocol or packet.protocol == self._protocol)
            and not spared
        )
