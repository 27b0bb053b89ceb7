"""Which packets of a host a fault leaves alone unless it names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

#: Names of what can be left alone.
DNS, PROBES = "dns", "probes"


@dataclass(frozen=True)
class Spared:
    """TCP and UDP between a host and these `addresses`, to and from `ports` of theirs.

    With `ttl` the ports are the host's own, and only connections count whose packets come in with
    exactly that: the node itself sends so, and all that it passes on for others has less. `own`:
    the agent adds the addresses that only the host knows (with `ttl` its way out, else its
    resolvers).
    """

    name: str
    addresses: Tuple[str, ...] = ()
    ports: Tuple[int, ...] = ()
    ttl: int = 0
    own: bool = False
