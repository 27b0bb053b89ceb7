"""Queues and filters of network cards by rtnetlink, as the `tc` command has them.

Handles are numbers as in `MAJOR:MINOR` (the upper and the lower 16 bits). What is on a card by
default has handle 0. A refusal raises OSError with the kernel's errno and the request in words.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from harness.mechanisms.messages import attribute, attributes
from harness.mechanisms.netlink import Netlink

ROOT, INGRESS, INGRESS_HANDLE = 0xFFFFFFFF, 0xFFFFFFF1, 0xFFFF0000

_NEW_QDISC, _DEL_QDISC, _GET_QDISC, _NEW_FILTER, _DEL_FILTER, _GET_FILTER = 36, 37, 38, 44, 45, 46
_ACK, _DUMP, _EXCL, _CREATE = 0x4, 0x300, 0x200, 0x400
_TCM = "=BxxxiIII"
_KIND, _OPTIONS, _STATS = 1, 2, 3
_IPV4 = socket.htons(0x0800)

#: Attributes of netem; what is not given keeps its last value, so all are.
_CORRELATION, _REORDER, _CORRUPT, _RATE, _RATE64, _LATENCY64, _SEED = 1, 3, 4, 6, 8, 10, 14
#: u32: its class, selector, action and counters; mirred: where to, and how.
_U32_CLASS, _U32_SELECTOR, _U32_ACTION, _U32_COUNTS = 1, 5, 7, 9
_TERMINAL = 1
_MIRRED_PARMS, _ACT_KIND, _ACT_OPTIONS, _STOLEN, _REDIRECT = 2, 1, 2, 4, 1
_PRIOMAP, _BANDS = 16, 16


@dataclass(frozen=True)
class Qdisc:
    """`held`: packets in it and below."""

    kind: str
    handle: int
    parent: int
    held: int


@dataclass(frozen=True)
class Netem:
    """Seconds, packets, shares from 0 to 1, bits a second (0: unlimited). `at_once`: of the
    packets, so many are not delayed."""

    delay: float = 0.0
    limit: int = 1000
    loss: float = 0.0
    duplicate: float = 0.0
    at_once: float = 0.0
    rate: float = 0.0


#: 4 bytes of a packet from its IPv4 header on: (value, mask, offset).
Match = Tuple[int, int, int]


class Queues(Netlink):
    """Of the network namespace of the thread that made it."""

    def __enter__(self) -> Queues:  # noqa: PYI034  Python 3.9 has no Self
        return self

    def qdiscs(self, card: str) -> Tuple[Qdisc, ...]:
        body = struct.pack(_TCM, 0, self.index(card), 0, 0, 0)
        answers = self._ask(_GET_QDISC, _DUMP, body, f"list queues of {card}")
        index = self.index(card)
        return tuple(
            _qdisc(answer)
            for kind, answer in answers
            if kind == _NEW_QDISC and struct.unpack_from(_TCM, answer)[1] == index
        )

    def add_prio(self, card: str, handle: int) -> None:
        """A root with 16 bands; what no filter places goes to the first."""
        options = struct.pack(f"=i{_PRIOMAP}B", _BANDS, *[0] * _PRIOMAP)
        self._qdisc(card, handle, ROOT, "prio", options, _CREATE | _EXCL)

    def add_netem(self, card: str, handle: int, parent: int, netem: Netem, seed: int) -> None:
        """`seed` (64 bits) is for its draws; kernels before 6.6 take their own."""
        self._qdisc(card, handle, parent, "netem", _netem(netem, seed), _CREATE | _EXCL)

    def change_netem(self, card: str, handle: int, parent: int, netem: Netem, seed: int) -> None:
        """In place: what it holds stays. Its draws begin anew, so take another seed each time."""
        self._qdisc(card, handle, parent, "netem", _netem(netem, seed), 0)

    def add_ingress(self, card: str) -> None:
        self._qdisc(card, INGRESS_HANDLE, INGRESS, "ingress", b"", _CREATE | _EXCL)

    def delete_qdisc(self, card: str, handle: int, parent: int) -> None:
        body = struct.pack(_TCM, 0, self.index(card), handle, parent, 0)
        self._ask(_DEL_QDISC, _ACK, body, f"delete queue {handle:#x} of {card}")

    def add_ifb(self, name: str) -> None:
        """A device that only passes on what is redirected to it, back to where it came in."""
        self._new(name, attribute(18, attribute(1, b"ifb")))

    def hits(self, card: str, parent: int) -> Dict[int, int]:
        """By priority, how many packets each filter placed."""
        body = struct.pack(_TCM, 0, self.index(card), 0, parent, 0)
        found: Dict[int, int] = {}
        for kind, answer in self._ask(_GET_FILTER, _DUMP, body, f"list filters of {card}"):
            options = dict(attributes(dict(attributes(answer[20:])).get(_OPTIONS, b"")))
            if kind == _NEW_FILTER and _U32_COUNTS in options:
                priority = struct.unpack_from(_TCM, answer)[4] >> 16
                hit = struct.unpack_from("=QQ", options[_U32_COUNTS])[1]
                found[priority] = found.get(priority, 0) + hit
        return found

    def place(
        self, card: str, parent: int, priority: int, matches: Sequence[Match], band: int
    ) -> None:
        """Packets that match all of these go to that class."""
        options = attribute(_U32_CLASS, struct.pack("=I", band)) + _selector(matches)
        self._filter(card, parent, priority, options)

    def delete_filters(self, card: str, parent: int, priority: int) -> None:
        """All of that priority."""
        body = struct.pack(_TCM, 0, self.index(card), 0, parent, priority << 16 | _IPV4)
        self._ask(_DEL_FILTER, _ACK, body, f"delete filters of {card}")

    def redirect(self, card: str, to: str) -> None:
        """All IPv4 that comes in takes its way through that device."""
        parms = struct.pack("=IIiiiiI", 0, 0, _STOLEN, 0, 0, _REDIRECT, self.index(to))
        action = attribute(_ACT_KIND, b"mirred\0") + attribute(
            _ACT_OPTIONS, attribute(_MIRRED_PARMS, parms)
        )
        options = _selector(((0, 0, 0),)) + attribute(_U32_ACTION, attribute(1, action))
        self._filter(card, INGRESS_HANDLE, 1, options)

    def _qdisc(
        self, card: str, handle: int, parent: int, kind: str, options: bytes, flags: int
    ) -> None:
        body = struct.pack(_TCM, 0, self.index(card), handle, parent, 0)
        body += attribute(_KIND, kind.encode() + b"\0")
        if options:
            body += attribute(_OPTIONS, options)
        self._ask(_NEW_QDISC, _ACK | flags, body, f"{kind} on {card}")

    def _filter(self, card: str, parent: int, priority: int, options: bytes) -> None:
        body = struct.pack(_TCM, 0, self.index(card), 0, parent, priority << 16 | _IPV4)
        body += attribute(_KIND, b"u32\0") + attribute(_OPTIONS, options)
        self._ask(_NEW_FILTER, _ACK | _CREATE | _EXCL, body, f"filter on {card}")


def _qdisc(answer: bytes) -> Qdisc:
    _family, _index, handle, parent, _info = struct.unpack_from(_TCM, answer)
    found = dict(attributes(answer[20:]))
    held = struct.unpack_from("=I", found[_STATS], 28)[0] if _STATS in found else 0
    return Qdisc(found[_KIND].rstrip(b"\0").decode(), handle, parent, int(held))


def _netem(asked: Netem, seed: int) -> bytes:
    """Every attribute: one that is not given keeps its last value."""
    loss, duplicate, at_once = (
        min(0xFFFFFFFF, round(share * 0x100000000))
        for share in (asked.loss, asked.duplicate, asked.at_once)
    )
    ticks = min(0xFFFFFFFF, round(asked.delay * 1e6 * _ticks_per_us()))
    rate = round(asked.rate / 8)
    found = struct.pack("=IIIIII", ticks, asked.limit, loss, int(at_once > 0), duplicate, 0)
    found += attribute(_CORRELATION, bytes(12)) + attribute(_CORRUPT, bytes(8))
    found += attribute(_REORDER, struct.pack("=II", at_once, 0))
    found += attribute(_RATE, struct.pack("=IiIi", min(rate, 0xFFFFFFFF), 0, 0, 0))
    if rate > 0xFFFFFFFF:
        found += attribute(_RATE64, struct.pack("=Q", rate))
    found += attribute(_LATENCY64, struct.pack("=q", round(asked.delay * 1e9)))
    return found + attribute(_SEED, struct.pack("=Q", seed))


def _selector(matches: Sequence[Match]) -> bytes:
    keys: List[bytes] = [
        struct.pack("=IIii", socket.htonl(mask), socket.htonl(value & mask), offset, 0)
        for value, mask, offset in matches
    ]
    head = struct.pack("=BBBxHHhhI", _TERMINAL, 0, len(keys), 0, 0, 0, 0, 0)
    return attribute(_U32_SELECTOR, head + b"".join(keys))


def _ticks_per_us() -> float:
    """The kernel's unit of time in queues."""
    words = Path("/proc/net/psched").read_text().split()
    return int(words[0], 16) / int(words[1], 16)
