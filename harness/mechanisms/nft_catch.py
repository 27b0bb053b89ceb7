"""Rules that hand packets to a queue of netfilter, in a table that ends with its owner.

Packets with our mark are let past, and so is everything when nobody listens to the queue (bypass).
The kernel's own expression is used where it has it, else iptables' target by way of nftables.
"""

from __future__ import annotations

import errno
import struct
from typing import Dict, FrozenSet, Optional, Set

from harness.mechanisms.messages import attribute, number, text
from harness.mechanisms.nft import OwnedTable, compare, expression, meta, payload

#: What is sent on anew carries this mark.
MARK = 0x48585451

_IN, _OUT = "in", "out"
_PREROUTING, _POSTROUTING = 0, 4
#: After connections are tracked, before addresses are translated.
_PRIORITY = -160
_MARK_KEY, _IN_NAME, _OUT_NAME = 3, 6, 7
_NETWORK, _SOURCE, _DESTINATION = 1, 12, 16
_EQUAL, _UNEQUAL = 0, 1
_BYPASS = 1
_NAME = 16
_MOST_PEERS = 64


class Catch:
    """Nothing is caught until `hand_over`. Raises OSError."""

    def __init__(self, table: str, card: str) -> None:
        self._card = card.encode().ljust(_NAME, b"\0")
        self._peers: Dict[bool, Optional[Set[bytes]]] = {True: set(), False: set()}
        self._kind = _queue
        self._table = OwnedTable(table)
        self._table.begin((_OUT, _POSTROUTING, _PRIORITY), (_IN, _PREROUTING, _PRIORITY))

    def hand_over(self, forth: bool, peers: Optional[FrozenSet[bytes]], queue: int) -> None:
        """These as well (None: all). Never fewer: later packets would overtake those held."""
        known = self._peers[forth]
        if known is None:
            return
        if peers is None or len(known | peers) > _MOST_PEERS:
            self._add(forth, None, queue)
            self._peers[forth] = None
            return
        for peer in sorted(peers - known):
            self._add(forth, peer, queue)
            known.add(peer)

    def open(self) -> None:
        """Nothing is caught any more; what waits in a queue stays there."""
        self._table.flush()

    def close(self) -> None:
        """With its chains the kernel drops what still waits in a queue."""
        self._table.close()

    def _add(self, forth: bool, peer: Optional[bytes], queue: int) -> None:
        try:
            self._append(forth, peer, self._kind(queue))
        except OSError as error:
            if self._kind is _target or error.errno not in (errno.ENOENT, errno.EOPNOTSUPP):
                raise
            self._kind = _target
            self._append(forth, peer, self._kind(queue))

    def _append(self, forth: bool, peer: Optional[bytes], to: bytes) -> None:
        place = _DESTINATION if forth else _SOURCE
        which = (payload(_NETWORK, place, 4), compare(_EQUAL, peer)) if peer else ()
        rule = (
            meta(_OUT_NAME if forth else _IN_NAME), compare(_EQUAL, self._card),
            meta(_MARK_KEY), compare(_UNEQUAL, struct.pack("=I", MARK)),
            *which, to,
        )  # fmt: skip
        self._table.append(_OUT if forth else _IN, rule)


def _queue(queue: int) -> bytes:
    parts = (1, queue), (2, 1), (3, _BYPASS)
    return expression("queue", b"".join(attribute(k, struct.pack(">H", v)) for k, v in parts))


def _target(queue: int) -> bytes:
    information = struct.pack("=HHH", queue, 1, _BYPASS).ljust(8, b"\0")
    return expression("target", text(1, "NFQUEUE") + number(2, 3) + attribute(3, information))
