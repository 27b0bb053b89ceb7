"""The hosts of a world, as seen from inside it: namespaces by name, each with its address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple

from harness.mechanisms.namespaces import identity, inside
from harness.mechanisms.netlink import Netlink


@dataclass(frozen=True)
class Host:
    """`mac` is that of `device`, the network card which has the address. `outside`: the device is
    the other end of somebody's cable, and only hears what the cable carries. `above`: whoever looks
    at it stands above netfilter; `below`: at the host's own card, beneath that, where only what
    goes out is heard."""

    name: str
    netns: str
    address: str
    device: str
    mac: bytes
    outside: bool = False
    above: bool = False
    below: bool = False


_known: Dict[Tuple[str, Optional[int], str], Host] = {}


def hosts_beside(netns: str) -> Tuple[Host, ...]:
    """All hosts whose namespaces stand in the same directory, by name."""
    found = (host_at(str(path)) for path in sorted(Path(netns).parent.iterdir()))
    return tuple(host for host in found if host is not None)


def host_at(netns: str, address: str = "") -> Optional[Host]:
    """The host of that namespace with its card of that address, or its first; None where there is
    none."""
    key = (netns, identity(netns), address)
    if key not in _known:
        try:
            found = inside(netns, lambda: _host(netns, address))
        except OSError:
            return None
        if found is None:
            return None
        _known[key] = found
    return _known[key]


def _host(netns: str, wanted: str) -> Optional[Host]:
    with Netlink() as net:
        cards = {device.index: device for device in net.devices() if device.name != "lo"}
        found = [each for each in net.addresses() if each.index in cards]
    found.sort(key=lambda each: each.address != wanted)
    for address in found[:1]:
        card = cards[address.index]
        mac = bytes.fromhex(card.mac.replace(":", ""))
        return Host(Path(netns).name, netns, address.address, card.name, mac)
    return None
