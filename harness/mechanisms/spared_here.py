"""What a host alone knows of what is spared at it: its way out, and who resolves its names."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from pathlib import Path
from typing import Tuple

from harness.agent.effects import InForce, LinkProfile, Spared
from harness.mechanisms.cables import gateways


def settled(effects: Tuple[InForce, ...], netns: str) -> Tuple[InForce, ...]:
    """The same effects with those addresses."""
    return tuple(
        dataclasses.replace(e, effect=_settled(e.effect, netns))
        if isinstance(e.effect, LinkProfile)
        else e
        for e in effects
    )


def _settled(profile: LinkProfile, netns: str) -> LinkProfile:
    spared = tuple(_with_own(each, netns) if each.own else each for each in profile.spared)
    return dataclasses.replace(profile, spared=spared)


def _with_own(spared: Spared, netns: str) -> Spared:
    """A host that is gone has none; the mechanism tells that it is."""
    own: Tuple[str, ...] = ()
    with contextlib.suppress(OSError):
        own = gateways(netns) if spared.ttl else _resolvers(netns)
    addresses = tuple(dict.fromkeys((*spared.addresses, *own)))
    return dataclasses.replace(spared, addresses=addresses)


def _resolvers(netns: str) -> Tuple[str, ...]:
    """Name servers by IPv4, from the files of who has that network. Raises OSError."""
    path = Path(netns).parents[1] / "root/etc/resolv.conf"
    lines = path.read_text(errors="replace").splitlines()
    words = (line.split() for line in lines)
    return tuple(w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and _is_ipv4(w[1]))


def _is_ipv4(address: str) -> bool:
    try:
        socket.inet_aton(address)
    except OSError:
        return False
    return True
