"""The process between a host and the rest of its network, which treats what passes.

Frames come in on two sides and go out on two; on a SEQPACKET pair it hears effects and is asked
for counts. When the other end of that pair closes, its owner has died: it lets go of all effects
and passes everything on for `orphan_s`, until whoever takes back has put the host's way right.
Caveat: a frame that finds the kernel's buffer full is lost, as on any wire.
"""

from __future__ import annotations

import ctypes
import errno
import heapq
import json
import select
import socket
import time
from typing import Any, Dict, List, NamedTuple, Protocol

from harness.agent.effects import decode
from harness.mechanisms.pipeline import Out, Pipeline

_BATCH = 64
_LAST = 1 << 14  # frames that may still stand in a side's buffer, and more
_LARGEST = 1 << 16
_GONE = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV, errno.EIO, errno.EBADFD)
_PR_SET_TIMERSLACK = 29


class Side(Protocol):
    """Where frames come in or go out; without blocking."""

    def fileno(self) -> int: ...

    def recv(self, size: int, /) -> bytes: ...

    def send(self, frame: bytes, /) -> int: ...


class Sides(NamedTuple):
    """Frames of the host come in on `forth` and leave by `out`, those for it come in on `back` and
    leave by `home`."""

    forth: Side
    back: Side
    out: Side
    home: Side


class _Held(NamedTuple):
    """A frame that waits until `at`, since it `came`; `number` orders those of one instant."""

    at: float
    number: int
    out: Out
    to: Side
    came: float


class Relay:
    """`mac` is the host's."""

    def __init__(
        self, sides: Sides, control: socket.socket, mac: bytes, orphan_s: float = 0.0
    ) -> None:
        self._sides = sides
        self._control = control
        self._mac = mac
        self._orphan_s = orphan_s
        self._pipeline = Pipeline()
        self._open = [sides.forth, sides.back]
        self._held: List[_Held] = []
        self._number = 0
        self._until = float("inf")

    def run(self) -> None:
        """Until it is told to end, a device is gone, or it has been an orphan long enough."""
        while time.monotonic() < self._until:
            ready = self._wait()
            for side in self._open:
                if side in ready:
                    self._receive(side)
            self._send_due(time.monotonic())
            if self._control in ready:
                self._hear()

    # ------------------------------------------------------------ frames

    def _wait(self) -> List[Any]:
        until = min(self._until, self._held[0].at) if self._held else self._until
        timeout = min(1.0, max(0.0, until - time.monotonic()))
        owned = [self._control] if self._until == float("inf") else []
        return select.select([*self._open, *owned], [], [], timeout)[0]

    def _receive(self, side: Side, most: int = _BATCH) -> None:
        forth = side is self._sides.forth
        onward, other = (self._sides.out, self._sides.home)[:: 1 if forth else -1]
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
            outs = self._pipeline.take(frame, forth, now)
            if not outs:
                self._lost(frame, forth)
            for out in outs:
                self._queue(out, onward if out.onward else other, now)

    def _lost(self, frame: bytes, forth: bool) -> None:
        """Nothing goes on of this frame."""

    def _is_for_host(self, frame: bytes) -> bool:
        """A bridge floods what it does not know. A refusal of somebody else's packet would teach it
        that they live here, and a count of it would be a lie.
        """
        return frame[:6] == self._mac or bool(frame[0] & 1)

    def _queue(self, out: Out, to: Side, now: float) -> None:
        if out.at <= now:
            self._send(out.frame, to)
            return
        self._number += 1
        heapq.heappush(self._held, _Held(out.at, self._number, out, to, now))

    def _send_due(self, now: float) -> None:
        while self._held and self._held[0].at <= now:
            due = heapq.heappop(self._held)
            self._send(due.out.frame, due.to)

    def _send(self, frame: bytes, to: Side) -> None:
        try:
            to.send(frame)
        except OSError as error:
            if error.errno in _GONE:
                self._until = 0.0

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
            self._until = min(self._until, time.monotonic() + self._orphan_s)

    def _obey(self, message: Dict[str, Any]) -> Dict[str, Any]:
        if "effects" in message:
            effects = decode(message["effects"])
            if not effects:
                self._flush()
            self._pipeline.set(effects, [held.out for held in self._held])
        if "forget_before" in message:
            self._forget(message["forget_before"])
        if "close" in message:
            self._close(getattr(self._sides, message["close"]))
        return {"counts": self._pipeline.counts}

    def _forget(self, before: float) -> None:
        """What came from the host while its port still stood open: the bridge has passed it on."""
        out = self._sides.out
        self._held = [held for held in self._held if held.to is not out or held.came >= before]
        heapq.heapify(self._held)

    def _close(self, side: Side) -> None:
        """Pass on what has come in there, and listen no more: others now do."""
        self._receive(side, _LAST)
        self._open = [each for each in self._open if each is not side]

    def _flush(self) -> None:
        """No effects: what is held goes on at once, in its order."""
        self._pipeline.set(())
        self._send_due(float("inf"))


def run(relay: Relay, control: socket.socket) -> None:
    """Say that it is ready, and be it."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    control.send(b"{}")
    relay.run()
