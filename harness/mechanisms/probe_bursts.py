"""How fast a link carries: short bursts, faster than the rate, timed where they arrive.

The application shares the rate, so all that matches is counted, at every place where it may go.
"""

from __future__ import annotations

import contextlib
import select
import socket
import statistics
import time
from typing import List, Tuple

from harness.agent.effects import Flow, LinkProfile, LinkSeen
from harness.mechanisms.filters import Filter, probe_for
from harness.mechanisms.hosts import Host
from harness.mechanisms.packets import read
from harness.mechanisms.probe_packets import SMALLEST, Course, seen_in
from harness.mechanisms.probe_sockets import Arrival, End, arrivals, close_soon, open_at

_BURST_S, _BURSTS, _BURST_FRAMES, _FRAME = 0.06, 3, (8, 200), 1400
_GRACE_S = 0.15


class Burst:
    """One direction: bursts go to the first receiver, what matches is counted at all of them."""

    def __init__(
        self, sender: Host, receivers: List[Host], profile: LinkProfile, forth: bool, look: int
    ) -> None:
        self._filter = Filter(profile)
        self._forth = forth
        self._course = Course(sender, receivers[0], probe_for(profile), look)
        self._receivers = list(dict.fromkeys(receivers))
        self._sockets: List[End] = []
        self.sent = 0
        self.received = 0
        self.rates: List[float] = []

    def __enter__(self) -> Burst:  # noqa: PYI034  Python 3.9 has no Self
        protocol = self._course.probe.protocol
        self._out = open_at(self._course.sender, protocol)
        self._sockets = [open_at(host, protocol, everything=True) for host in self._receivers]
        return self

    def __exit__(self, *_: object) -> None:
        close_soon((self._out, *self._sockets))

    def fire(self, frames: int, size: int, wait_s: float) -> None:
        """Send a burst, wait for its last frame, and note how fast it came through."""
        for each in self._sockets:
            list(arrivals(each, 1 << 16))
        for number in range(frames):
            with contextlib.suppress(OSError):
                self._out.send(self._course.frame(self.sent + number, size))
        first, self.sent = self.sent, self.sent + frames
        rate = self._rate(first, time.monotonic() + wait_s)
        if rate:
            self.rates.append(rate)

    def _rate(self, first: int, until: float) -> float:
        heard: List[Tuple[float, int]] = []
        probes: List[float] = []
        while time.monotonic() < until:
            ready = select.select(self._sockets, [], [], max(0.0, until - time.monotonic()))[0]
            for arrival in (a for each in ready for a in arrivals(each)):
                heard += self._matching(arrival)
                seen = seen_in(arrival.frame)
                if seen is not None and seen.look == self._course.look and seen.number >= first:
                    probes.append(arrival.at)
                    if seen.number == self.sent - 1:
                        until = 0.0
        self.received += len(probes)
        if len(probes) < 2 or max(probes) <= min(probes):
            return 0.0
        begin, end = min(probes), max(probes)
        return sum(size for at, size in heard if begin < at <= end) * 8 / (end - begin)

    def _matching(self, arrival: Arrival) -> List[Tuple[float, int]]:
        packet = read(arrival.frame)
        if packet is None or not self._filter.matches(packet, self._forth):
            return []
        shares = not self._forth or packet.source == socket.inet_aton(self._course.sender.address)
        return [(arrival.at, arrival.size)] if shares else []

    def flow(self) -> Flow:
        rate = statistics.median(self.rates) if self.rates else 0.0
        return Flow(sent=self.sent, received=self.received, bits_per_s=rate)


def measure_rate(ways: List[Burst], profile: LinkProfile, for_s: float, peer: Host) -> LinkSeen:
    assert profile.rate is not None, "only rates are measured by bursts"
    frames, size = burst_of(profile.rate.peak)
    begin = time.monotonic()
    for turn in range(_BURSTS):
        time.sleep(max(0.0, begin + turn * for_s / _BURSTS - time.monotonic()))
        for way in ways:
            way.fire(frames, size, wait_s=2 * frames * size * 8 / profile.rate.peak + _GRACE_S)
    forth, back = (way.flow() for way in ways)
    return LinkSeen(begin, time.monotonic(), (peer.address,), forth, back, outside=peer.outside)


def burst_of(rate: float) -> Tuple[int, int]:
    """How many frames of how many bytes take some tens of milliseconds at that rate."""
    total = rate * _BURST_S / 8
    fewest, most = _BURST_FRAMES
    frames = min(most, max(fewest, round(total / _FRAME)))
    return frames, min(_FRAME, max(SMALLEST, round(total / frames)))
