"""The process that stands between a host's cable and the bridge, and treats what passes.

`python -m harness.mechanisms.wire_relay PORT STUB FD MAC`: frames come and go on two devices by
packet sockets; FD is one end of a SEQPACKET pair on which it hears effects and is asked for counts.
When the other end closes, its owner has died: it lets go of all effects and passes everything on
until the port is put back by whoever takes back, or for `ORPHAN_S`. Caveat: a frame that finds the
kernel's buffer full is lost, as on any wire; `lost` counts those.
"""

from __future__ import annotations

import ctypes
import errno
import heapq
import json
import random
import select
import socket
import struct
import sys
import time
from typing import Any, Dict, List, NamedTuple

from harness.agent.effects import decode
from harness.mechanisms.pipeline import Out, Pipeline

#: How long a relay whose owner has died goes on passing frames.
ORPHAN_S = 5.0
_BATCH = 64
_LAST = 1 << 14  # frames that may still stand in a socket's buffer, and more
_LARGEST = 1 << 16
_BUFFER = 4 << 20
_SOL_PACKET, _STATISTICS, _IGNORE_OUTGOING = 263, 6, 23
_ETH_P_ALL = 3
_PR_SET_TIMERSLACK = 29


class _Held(NamedTuple):
    """A frame that waits until `at`, since it `came`; `number` orders those of one instant."""

    at: float
    number: int
    out: Out
    to: socket.socket
    came: float


class Relay:
    """`host` and `bridge` are the two sides, `mac` is the host's."""

    def __init__(
        self, host: socket.socket, bridge: socket.socket, control: socket.socket, mac: bytes
    ) -> None:
        self._sides = (host, bridge)
        self._control = control
        self._mac = mac
        self._pipeline = Pipeline(random.Random())  # the run's seed orders experiments, not packets
        self._open = [host, bridge]
        self._held: List[_Held] = []
        self._number = 0
        self._lost = 0
        self._until = float("inf")

    def run(self) -> None:
        """Until it is told to end, both devices are gone, or it has been an orphan long enough."""
        while time.monotonic() < self._until:
            ready = self._wait()
            for side in self._open:
                if side in ready:
                    self._receive(side)
            self._send_due(time.monotonic())
            if self._control in ready:
                self._hear()

    # ------------------------------------------------------------ frames

    def _wait(self) -> List[socket.socket]:
        until = min(self._until, self._held[0].at) if self._held else self._until
        timeout = min(1.0, max(0.0, until - time.monotonic()))
        owned = [self._control] if self._until == float("inf") else []
        return select.select([*self._open, *owned], [], [], timeout)[0]

    def _receive(self, side: socket.socket, most: int = _BATCH) -> None:
        forth = side is self._sides[0]
        other = self._sides[1] if forth else self._sides[0]
        for _ in range(most):
            try:
                frame = side.recv(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                self._until = 0.0  # the device is gone, or down: somebody has put the port back
                return
            if not forth and not self._is_for_host(frame):
                continue
            now = time.monotonic()
            for out in self._pipeline.take(frame, forth, now):
                self._queue(out, other if out.onward else side, now)

    def _is_for_host(self, frame: bytes) -> bool:
        """A bridge floods what it does not know. A refusal of somebody else's packet would teach it
        that they live here, and a count of it would be a lie.
        """
        return frame[:6] == self._mac or bool(frame[0] & 1)

    def _queue(self, out: Out, to: socket.socket, now: float) -> None:
        if out.at <= now:
            self._send(out.frame, to)
            return
        self._number += 1
        heapq.heappush(self._held, _Held(out.at, self._number, out, to, now))

    def _send_due(self, now: float) -> None:
        while self._held and self._held[0].at <= now:
            due = heapq.heappop(self._held)
            self._send(due.out.frame, due.to)

    def _send(self, frame: bytes, to: socket.socket) -> None:
        try:
            to.send(frame)
        except OSError as error:
            if error.errno in (errno.ENETDOWN, errno.ENXIO, errno.ENODEV):
                self._until = 0.0
            self._lost += 1

    # ------------------------------------------------------------ control

    def _hear(self) -> None:
        try:
            packet = self._control.recv(_LARGEST)
        except OSError:
            packet = b""
        if packet:
            answer = self._obey(json.loads(packet))
            self._control.send(json.dumps(answer).encode())
        else:
            self._flush()
            self._until = min(self._until, time.monotonic() + ORPHAN_S)

    def _obey(self, message: Dict[str, Any]) -> Dict[str, Any]:
        if "effects" in message:
            effects = decode(message["effects"])
            if not effects:
                self._flush()
            self._pipeline.set(effects, [held.out for held in self._held])
        if "forget_before" in message:
            self._forget(message["forget_before"])
        if "close" in message:
            self._close(self._sides[("host", "bridge").index(message["close"])])
        self._lost += sum(map(overrun, self._sides))
        return {"counts": self._pipeline.counts, "lost": self._lost}

    def _forget(self, before: float) -> None:
        """What came from the host while its port still stood open: the bridge has passed it on."""
        bridge = self._sides[1]
        self._held = [held for held in self._held if held.to is not bridge or held.came >= before]
        heapq.heapify(self._held)

    def _close(self, side: socket.socket) -> None:
        """Pass on what has come in there, and listen no more: others now do."""
        self._receive(side, _LAST)
        self._open = [each for each in self._open if each is not side]

    def _flush(self) -> None:
        """No effects: what is held goes on at once, in its order."""
        self._pipeline.set(())
        self._send_due(float("inf"))


def overrun(side: socket.socket) -> int:
    """Frames that the kernel dropped since the last call, for want of room."""
    statistics = side.getsockopt(_SOL_PACKET, _STATISTICS, 8)
    return int(struct.unpack("=II", statistics)[1])


def packet_socket(device: str) -> socket.socket:
    """Everything that comes in on that device; what goes out on it is not heard."""
    # Protocol 0 until bind: with ETH_P_ALL here it would hear every device until then, and relay
    # foreign frames.
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    found.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        found.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    found.bind((device, _ETH_P_ALL))
    found.setblocking(False)
    return found


def main(port: str, stub: str, control_fd: str, mac: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    control = socket.socket(fileno=int(control_fd))
    relay = Relay(packet_socket(port), packet_socket(stub), control, bytes.fromhex(mac))
    control.send(b"{}")  # both sockets listen: the port may be shut
    relay.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
