"""A relay in a network namespace that is not ours: taps beside the host's own card.

`harness.mechanisms.tap_relay NETNS CARD FD MAC`. Packets of the directions and peers that
effects name are caught on the card, treated here, and sent on from there. Taps and programs are
files of this process: when it ends, however it ends, packets take their ordinary way at once. Each
program costs the kernel some 10 ms, one after the other: there are only those that effects need.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any, Dict, FrozenSet, Iterable, Optional

from harness.agent.effects import InForce, LinkProfile, decode
from harness.mechanisms.bpf import EGRESS, INGRESS, MARK, Attached, catching, returning
from harness.mechanisms.namespaces import NEW_NET, die_with_parent, enter
from harness.mechanisms.netlink import Netlink
from harness.mechanisms.relay import Relay, Sides, run
from harness.mechanisms.sparing import caught
from harness.mechanisms.tap import Tap

#: Names of taps begin so, and go on with the pid of their relay.
PREFIX = "hx"
_LAST = 1 << 14
_IPV4 = b"\x08\x00"
_MOST_PEERS = 500
_SO_MARK, _BUFFER = 36, 4 << 20


class Gate:
    """One direction: the catch on the card and the tap that it fills, both made once needed."""

    def __init__(self, card: int, forth: bool) -> None:
        self._card = card
        self._forth = forth
        self._tap: Optional[Tap] = None
        self._return: Optional[Attached] = None
        self._catch: Optional[Attached] = None
        self._peers: Optional[FrozenSet[bytes]] = frozenset()

    def begin(self) -> None:
        """What is written into the tap of `back` comes in on the card."""
        if self._tap is None:
            self._tap = Tap(f"{PREFIX}{os.getpid()}{'f' if self._forth else 'b'}")
            if not self._forth:
                self._return = Attached(returning(self._card), self._tap.index, INGRESS)

    @property
    def begun(self) -> bool:
        return self._tap is not None

    def catch(self, peers: Optional[FrozenSet[bytes]]) -> None:
        """These as well (None: all). Never fewer: later packets would overtake those held here."""
        if peers is None or self._peers is None or len(self._peers | peers) > _MOST_PEERS:
            wanted = None
        else:
            wanted = self._peers | peers
        if wanted == self._peers:
            return
        code = catching(self.tap.index, self._forth, wanted)
        if self._catch is None:
            self._catch = Attached(code, self._card, EGRESS if self._forth else INGRESS)
        else:
            self._catch.replace(code)
        self._peers = wanted

    def open(self) -> None:
        if self._catch is not None:
            self._catch.close()
        self._catch, self._peers = None, frozenset()

    # ------------------------------------------------------------ a side of the relay

    @property
    def tap(self) -> Tap:
        assert self._tap is not None, "it was begun"
        return self._tap

    def fileno(self) -> int:
        return self.tap.fileno()

    def recv(self, size: int, /) -> bytes:
        while True:
            frame = self.tap.recv(size)
            if frame[12:14] == _IPV4:  # the rest is the kernel's own, to a card that it thinks new
                return frame

    def send(self, frame: bytes, /) -> int:
        return self.tap.send(frame)


def card_socket(name: str) -> socket.socket:
    """What is sent here goes out by the card, past the catch. It hears nothing."""
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    found.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    found.bind((name, 0))
    found.setblocking(False)
    return found


class TapRelay(Relay):
    def __init__(self, card: int, name: str, control: socket.socket, mac: bytes) -> None:
        self._gates = {forth: Gate(card, forth) for forth in (True, False)}
        forth, back = self._gates[True], self._gates[False]
        out = card_socket(name)
        super().__init__(Sides(forth, back, out=out, home=back), control, mac)
        self._open = []

    def _obey(self, message: Dict[str, Any]) -> Dict[str, Any]:
        answer = super()._obey(message)
        try:
            self._set_gates(decode(message.get("effects")))
        except OSError as error:
            answer["error"] = f"a program cannot be attached: {error}"
        return answer

    def _set_gates(self, effects: Optional[Iterable[InForce]]) -> None:
        """Once their stages stand ready. Without effects the gates open, and what was caught by
        then goes on."""
        if effects is None:
            return
        profiles = [e.effect for e in effects if isinstance(e.effect, LinkProfile)]
        if any(profile.cut == "reject" for profile in profiles):
            self._gates[False].begin()  # by it the host is told
        for forth, gate in self._gates.items():
            whose = caught(profiles, forth)
            if whose or whose is None:
                gate.begin()
                gate.catch(whose)
            elif not profiles:
                gate.open()
        begun = [gate for gate in self._gates.values() if gate.begun]
        self._open = [*begun]
        if not profiles:
            for gate in begun:
                self._receive(gate, _LAST)


def main(netns: str, card: str, control_fd: str, mac: str) -> None:
    die_with_parent()
    control = socket.socket(fileno=int(control_fd))
    try:
        enter(netns, NEW_NET)
        with Netlink() as net:
            index = net.index(card)
        relay = TapRelay(index, card, control, bytes.fromhex(mac))
    except OSError as error:
        control.send(json.dumps({"error": f"no tap beside {card}: {error}"}).encode())
        return
    run(relay, control)


if __name__ == "__main__":
    main(*sys.argv[1:])
