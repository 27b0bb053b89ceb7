"""What of a host's packets is left alone: who is told from whom, and how.

A kubelet's probes and the load that its node passes on for others may come from the same address to
the same port. What tells them apart is the time to live: what the node itself sends arrives with
the TTL that it began with, what it passes on has less. Answers belong to the connection that asked.
Caveat: whatever else the node itself sends to such a port (a host-network pod's requests) is left
alone too.
"""

from __future__ import annotations

import socket
from typing import FrozenSet, List, Optional, Set, Tuple

from harness.agent.effects import LinkProfile, Spared
from harness.mechanisms.packets import TCP, UDP, Packet

#: So many connections are remembered at most.
_MOST = 1 << 16

Connection = Tuple[bytes, int, int]


class Sparing:
    """All that one profile leaves alone. Stateful: sees the packets of both directions."""

    def __init__(self, spared: Tuple[Spared, ...]) -> None:
        self._rules = tuple(map(_Rule, spared))

    def covers(self, packet: Packet, forth: bool) -> bool:
        """Never a probe of ours: the witness has to meet the fault."""
        if not self._rules or packet.ours or packet.protocol not in (TCP, UDP):
            return False
        return any(rule.covers(packet, forth) for rule in self._rules)


class _Rule:
    def __init__(self, spared: Spared) -> None:
        self._addresses = frozenset(map(socket.inet_aton, spared.addresses))
        self._ports = frozenset(spared.ports)
        self._ttl = spared.ttl
        self._from_node: Set[Connection] = set()

    def covers(self, packet: Packet, forth: bool) -> bool:
        if forth:
            peer, theirs, ours = packet.destination, packet.dport, packet.sport
        else:
            peer, theirs, ours = packet.source, packet.sport, packet.dport
        if peer not in self._addresses or (ours if self._ttl else theirs) not in self._ports:
            return False
        if self._ttl and not forth:
            self._learn((peer, theirs, ours), packet.ttl)
        return not self._ttl or (peer, theirs, ours) in self._from_node

    def _learn(self, connection: Connection, ttl: int) -> None:
        """The latest packet tells: ports are used again."""
        if ttl != self._ttl:
            self._from_node.discard(connection)
            return
        if len(self._from_node) >= _MOST:
            self._from_node.clear()
        self._from_node.add(connection)


def asked_by(profiles: List[LinkProfile]) -> FrozenSet[bytes]:
    """From whom packets have to be seen to know whose answers are spared."""
    found = (a for p in profiles for s in p.spared if s.ttl for a in s.addresses)
    return frozenset(map(socket.inet_aton, found))


def caught(profiles: List[LinkProfile], forth: bool) -> Optional[FrozenSet[bytes]]:
    """Whose packets in that direction have to be seen for these; None: everybody's."""
    mine = [p for p in profiles if p.direction in ("both", "forth" if forth else "back")]
    if not all(profile.peers for profile in mine):
        return None
    peers = frozenset(socket.inet_aton(peer) for p in mine for peer in p.peers)
    return peers if forth else peers | asked_by(profiles)
