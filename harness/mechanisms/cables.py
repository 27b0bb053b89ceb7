"""The other end of a host's cable, outside of the host: where a witness stands that knows no peer.

A pod's card is one end of a veth pair, and the other end lies in the node's network. A probe there
speaks in the name of a peer, with a hardware address that is nobody's: it passes everything that
is between the cable and the host, and goes no further.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

from harness.mechanisms.hosts import Host
from harness.mechanisms.namespaces import identity, inside
from harness.mechanisms.netlink import Device, Netlink

#: Locally administered, and nobody's.
_NOBODY = bytes.fromhex("024858000001")
_found: Dict[Tuple[str, str, Optional[int]], Tuple[str, int, str]] = {}


def far_end(host: Host, peer: str) -> Optional[Host]:
    """The other end of the host's cable, speaking as `peer`; None where none is found."""
    key = (host.netns, host.device, identity(host.netns))
    known = _found.get(key)
    if known is None or identity(known[0]) != known[1]:
        looked = _look(host)
        if looked is None:
            return None
        known = _found[key] = looked
    return Host("the other end of its cable", known[0], peer, known[2], _NOBODY, outside=True)


def below(host: Host, peer: str) -> Host:
    """Where the other end is out of reach: the host's own card, on which a packet to the peer shows
    when netfilter has let it go."""
    return Host("its own card", host.netns, peer, host.device, _NOBODY, outside=True, below=True)


def stand_ins(address: str) -> Tuple[str, str]:
    """Two addresses beside this one, for probes that stand for everybody."""
    packed = socket.inet_aton(address)
    first, second = (socket.inet_ntoa(packed[:3] + bytes([packed[3] ^ bit])) for bit in (1, 2))
    return first, second


def gateways(netns: str) -> Tuple[str, ...]:
    """Addresses of the host's default routes."""
    return inside(netns, lambda: tuple(_gateways()))


def next_hops(netns: str) -> Tuple[str, ...]:
    """Addresses that the host's own way out leads to: gateways, else neighbours that it knows."""
    return inside(netns, lambda: (*_gateways(), *_neighbours()))[:2]


def _gateways() -> Iterator[str]:
    for line in Path("/proc/thread-self/net/route").read_text().splitlines()[1:]:
        _, to, gateway = line.split()[:3]
        if int(to, 16) == 0 and int(gateway, 16):
            yield socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))


def _neighbours() -> Iterator[str]:
    for line in Path("/proc/thread-self/net/arp").read_text().splitlines()[1:]:
        address, _, flags = line.split()[:3]
        if int(flags, 16) & 2:
            yield address


def _look(host: Host) -> Optional[Tuple[str, int, str]]:
    """Path and identity of the namespace, name of the card."""
    card = inside(host.netns, lambda: _card(host.device))
    if card is None or not card.peer:
        return None
    for path in _namespaces():
        inode = identity(path)
        there = _there(host.netns, card, path) if inode is not None else None
        if there is not None and inode is not None:
            return path, inode, there.name
    return None


def _card(name: str) -> Optional[Device]:
    with Netlink() as net:
        return net.device(name)


def _there(netns: str, card: Device, path: str) -> Optional[Device]:
    """The card's other end, if it lies in the namespace of that path."""
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if inside(netns, lambda: _number(there)) != card.peer_netns:
            return None
        return inside(there, lambda: _indexed(card.peer))
    except OSError:
        return None
    finally:
        os.close(there)


def _number(there: int) -> int:
    with Netlink() as net:
        return net.number_of(there)


def _indexed(index: int) -> Optional[Device]:
    with Netlink() as net:
        return next((device for device in net.devices() if device.index == index), None)


def _namespaces() -> Iterator[str]:
    """Each network namespace that can be seen from here once: our own first."""
    seen = set()
    pids = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    for path in ("/proc/self/ns/net", *(f"/proc/{pid}/ns/net" for pid in pids)):
        inode = identity(path)
        if inode is not None and inode not in seen:
            seen.add(inode)
            yield path
