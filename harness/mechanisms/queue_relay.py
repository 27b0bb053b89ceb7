"""A relay that netfilter hands packets to, in a network namespace that is not ours.

`harness.mechanisms.queue_relay NETNS CARD FD MAC`. What the host sends is taken out of its queue at
once and sent anew when it is due, because a packet that waits in a queue holds up its sender's
others; what comes in waits in its queue. Rules and queues are those of this process: when it ends,
however it ends, packets take their ordinary way, and only those that are held just then are lost.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from typing import Any, Dict, Iterator, Optional, Tuple

from harness.agent.effects import InForce, LinkProfile, decode
from harness.mechanisms.namespaces import NEW_NET, die_with_parent, enter
from harness.mechanisms.netfilter_queue import Queue
from harness.mechanisms.netlink import Netlink
from harness.mechanisms.nft_catch import MARK, Catch
from harness.mechanisms.packets import ETHERNET
from harness.mechanisms.relay import Relay, Sides, run
from harness.mechanisms.sparing import caught

#: Names of tables begin so, and go on with the pid of their relay.
PREFIX = "hx-queue-"
#: The numbers of both queues: of what the host sends, and of what it is sent.
_FORTH, _BACK = 0x4858, 0x4859
_LAST = 1 << 14
_SO_MARK, _BUFFER = 36, 4 << 20
_MORE = 0x2000


class Sent:
    """What the host sends: no longer the kernel's as soon as it was read."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def fileno(self) -> int:
        return self._queue.fileno()

    def recv(self, size: int, /) -> bytes:
        frame = self._queue.recv(size)
        self._queue.drop(frame)
        return frame

    def send(self, frame: bytes, /) -> int:
        raise AssertionError("nothing is sent back to the host")


class Way:
    """The way on from the host, past the rules, at most the card's `mtu` bytes at a time."""

    def __init__(self, card: str, mtu: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
        self._socket.setblocking(False)
        self._mtu = mtu

    def fileno(self) -> int:
        return self._socket.fileno()

    def recv(self, _size: int, /) -> bytes:
        raise BlockingIOError

    def send(self, frame: bytes, /) -> int:
        packet = frame[ETHERNET:]
        for part in fragments(packet, self._mtu):
            self._socket.sendto(part, (socket.inet_ntoa(packet[16:20]), 0))
        return len(frame)


class Come:
    """What the host is sent, and how it gets it when that is due."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def fileno(self) -> int:
        return self._queue.fileno()

    def recv(self, size: int, /) -> bytes:
        return self._queue.recv(size)

    def send(self, frame: bytes, /) -> int:
        self._queue.accept(frame)
        return len(frame)


class QueueRelay(Relay):
    def __init__(self, card: str, mtu: int, control: socket.socket) -> None:
        self._queues = {True: Queue(_FORTH), False: Queue(_BACK)}
        self._card = card
        self._catch: Optional[Catch] = None
        come = Come(self._queues[False])
        sides = Sides(Sent(self._queues[True]), come, out=Way(card, mtu), home=come)
        super().__init__(sides, control, b"")

    def _is_for_host(self, frame: bytes) -> bool:
        return True

    def _lost(self, frame: bytes, forth: bool) -> None:
        if not forth:
            self._queues[forth].drop(frame)

    def _obey(self, message: Dict[str, Any]) -> Dict[str, Any]:
        answer = super()._obey(message)
        try:
            if "effects" in message:
                self._set_rules(decode(message["effects"]))
        except OSError as error:
            answer["error"] = f"no rule can be made: {error}"
        return answer

    def _set_rules(self, effects: Tuple[InForce, ...]) -> None:
        profiles = [e.effect for e in effects if isinstance(e.effect, LinkProfile)]
        if not profiles:
            self._let_pass()
            return
        if self._catch is None:
            self._catch = Catch(f"{PREFIX}{os.getpid()}", self._card)
        for forth, queue in ((True, _FORTH), (False, _BACK)):
            whose = caught(profiles, forth)
            if whose or whose is None:
                self._catch.hand_over(forth, whose, queue)

    def _let_pass(self) -> None:
        if self._catch is not None:
            self._catch.open()
            for side in self._open:
                self._receive(side, _LAST)
            self._catch.close()
        self._catch = None


def fragments(packet: bytes, mtu: int) -> Iterator[bytes]:
    """As the kernel would cut it, had it sent it by itself."""
    head = (packet[0] & 0xF) * 4
    if len(packet) <= mtu:
        yield packet
        return
    step = (mtu - head) // 8 * 8
    flags, size = struct.unpack_from(">H", packet, 6)[0], len(packet) - head
    for at in range(0, size, step):
        part = packet[head + at : head + at + step]
        more = _MORE if at + step < size else flags & _MORE
        place = struct.pack(">H", more | ((flags & 0x1FFF) + at // 8))
        length = struct.pack(">H", head + len(part))
        yield packet[:2] + length + packet[4:6] + place + packet[8:head] + part


def main(netns: str, card: str, control_fd: str, _mac: str) -> None:
    die_with_parent()
    control = socket.socket(fileno=int(control_fd))
    try:
        enter(netns, NEW_NET)
        with Netlink() as net:
            device = net.device(card)
        relay = QueueRelay(card, device.mtu if device else 1500, control)
    except OSError as error:
        control.send(json.dumps({"error": f"no queue for {card}: {error}"}).encode())
        return
    run(relay, control)


if __name__ == "__main__":
    main(*sys.argv[1:])
