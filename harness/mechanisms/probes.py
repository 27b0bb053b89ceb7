"""The witness of link faults: probes of our own, sent and caught at both ends.

Both ends are within our reach and on one clock, so each direction is seen for itself: what was
late, lost, doubled, overtaken, damaged, refused, and how fast a short burst came through. One look
goes to one peer and the next look to another, so that what is true of one peer only shows. Caveat:
a burst that measures a rate fills the link's queue for some tens of milliseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import time
from dataclasses import dataclass, field, replace
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, TypeVar

from harness.agent.effects import Flow, InForce, Link, LinkProfile, LinkSeen
from harness.agent.protocol import Failed, TargetGone
from harness.mechanisms.cables import below, far_end, next_hops, stand_ins
from harness.mechanisms.filters import probe_for
from harness.mechanisms.hosts import Host, host_at, hosts_beside
from harness.mechanisms.probe_bursts import Burst, measure_rate
from harness.mechanisms.probe_packets import Course, refused_in, seen_in
from harness.mechanisms.probe_sockets import Arrival, End, arrivals, close_soon, open_at

#: Probes a second each way; shares need more to be told apart.
_PACE, _PACE_OF_SHARES = 100, 200
#: Also the shortest look has these.
_FEWEST = 5
_MOST_PEERS = 2
_GRACE_S = 0.15
_LONGEST_WAIT_S = 5.0
_T = TypeVar("_T")
_FIRST = "client"  #: where the load lives: the peer that is looked from first


class Prober:
    """Looks at links. Safe to call from several threads. `above`: what is done to them is done by
    rules of netfilter, so the host's end is above those."""

    def __init__(self, above: bool = False) -> None:
        self._above = above
        self._looks = itertools.count(1)
        self._turns: Dict[Link, Iterator[int]] = {}

    def look(
        self, link: Link, profile: Optional[LinkProfile], for_s: float, slowest_s: float
    ) -> LinkSeen:
        """Probe for that long; stragglers are waited for, `slowest_s` after the last was sent."""
        profile = profile or LinkProfile()
        host, peer, others = self._ends(link, profile)
        with contextlib.ExitStack() as stack:
            look = next(self._looks)
            if profile.rate is not None:
                ways = [
                    stack.enter_context(Burst(host, [peer, *others], profile, True, look)),
                    stack.enter_context(Burst(peer, [host], profile, False, look)),
                ]
                return measure_rate(ways, profile, for_s, peer)
            probe = probe_for(profile)
            paced = [stack.enter_context(Way(Course(host, peer, probe, look)))]
            if not peer.below:
                paced.append(stack.enter_context(Way(Course(peer, host, probe, look))))
            return _paced(paced, _pace(profile), for_s, min(slowest_s, _LONGEST_WAIT_S), peer)

    def _ends(self, link: Link, profile: LinkProfile) -> Tuple[Host, Host, Tuple[Host, ...]]:
        """The host, the peer of this look, and who else may get what the host sends."""
        found_host = host_at(link.netns, link.address)
        if found_host is None:
            raise TargetGone(f"{link.target}: its network is gone")
        host = replace(found_host, above=self._above)
        if not link.port:
            return host, self._outside(link, profile, host), ()
        others = tuple(h for h in hosts_beside(link.netns) if h.address != host.address)
        named = [each for each in others if each.address in profile.peers]
        found = named or sorted(others, key=lambda each: (each.name != _FIRST, each.name))
        if not found or (profile.peers and not named):
            raise Failed(f"{link.target}: nobody at the other end to look from")
        return host, self._in_turn(link, found), others

    def _outside(self, link: Link, profile: LinkProfile, host: Host) -> Host:
        """Where no cable of ours is known: its other end, in the name of a peer."""
        anybody = next_hops(host.netns) if self._above else ()
        peer = self._in_turn(link, profile.peers or anybody or stand_ins(host.address))
        found = far_end(host, peer)
        if found is None and self._above:
            return below(host, peer)
        if found is None:
            raise Failed(
                f"{link.target}: the other end of {host.device} cannot be found from here, so "
                "nobody could see what is done to it"
            )
        return found

    def _in_turn(self, link: Link, among: Sequence[_T]) -> _T:
        turns = self._turns.setdefault(link, itertools.count())
        return among[next(turns) % min(len(among), _MOST_PEERS)]


def slowest(effects: Tuple[InForce, ...]) -> float:
    """The longest that these hold a packet, in seconds."""
    profiles = [e.effect for e in effects if isinstance(e.effect, LinkProfile)]
    delays = sum(p.delay.peak + p.jitter for p in profiles if p.delay is not None)
    queues = sum(0.2 for p in profiles if p.rate is not None)
    return delays + queues + sum(p.hold for p in profiles)


def _pace(profile: LinkProfile) -> float:
    shares = (profile.loss, profile.duplicate, profile.reorder, profile.corrupt)
    return 1.0 / (_PACE_OF_SHARES if any(shares) else _PACE)


# ---------------------------------------------------------------- single probes


@dataclass
class Way:
    """One direction of a look: what was sent, and what came of it."""

    course: Course
    sent: Dict[int, float] = field(default_factory=dict)
    came: Dict[int, float] = field(default_factory=dict)
    duplicates: int = 0
    reordered: int = 0
    corrupted: int = 0
    refused: int = 0
    _highest: int = -1
    _sockets: Tuple[End, ...] = ()

    def __enter__(self) -> Way:  # noqa: PYI034  Python 3.9 has no Self
        protocol = self.course.probe.protocol
        ends = self.course.sender, self.course.receiver
        self._sockets = tuple(open_at(end, protocol) for end in ends)
        return self

    def __exit__(self, *_: object) -> None:
        close_soon(self._sockets)

    @property
    def sockets(self) -> Tuple[End, ...]:
        return self._sockets

    @property
    def complete(self) -> bool:
        return len(self.came) + self.corrupted + self.refused >= len(self.sent)

    def send(self, number: int) -> None:
        frame = self.course.frame(number)
        self.sent[number] = time.monotonic()
        with contextlib.suppress(OSError):  # then it was lost, and shows as such
            self._sockets[0].send(frame)

    def receive(self, ready: End) -> None:
        if ready is self._sockets[0]:
            by = self.course.receiver
            self.refused += sum(refused_in(arrival.frame, by) for arrival in arrivals(ready))
        elif ready is self._sockets[1]:
            for arrival in arrivals(ready):
                self._take(arrival)

    def _take(self, arrival: Arrival) -> None:
        seen = seen_in(arrival.frame)
        if seen is None or seen.mark != self.course.mark:
            return
        if seen.number < 0:
            self.corrupted += 1
        elif seen.look == self.course.look and seen.number in self.sent:
            if seen.number in self.came:
                self.duplicates += 1
                return
            self.came[seen.number] = arrival.at
            self.reordered += seen.number < self._highest
            self._highest = max(self._highest, seen.number)

    def flow(self) -> Flow:
        delays = tuple(round(at - self.sent[number], 7) for number, at in self.came.items())
        return Flow(
            sent=len(self.sent), received=len(self.came) + self.corrupted, delays=delays,
            duplicates=self.duplicates, reordered=self.reordered, corrupted=self.corrupted,
            refused=self.refused,
        )  # fmt: skip


def _paced(ways: List[Way], pace: float, for_s: float, slowest_s: float, peer: Host) -> LinkSeen:
    begin = time.monotonic()
    pace = min(pace, for_s / _FEWEST)
    number, count = 0, max(1, round(for_s / pace)) if for_s else 1
    end = begin + count * pace + slowest_s + _GRACE_S
    while True:
        now = time.monotonic()
        while number < count and now >= begin + number * pace:
            for way in ways:
                way.send(number)
            number += 1
        due = begin + number * pace if number < count else end
        if now >= end or (number >= count and all(way.complete for way in ways)):
            break
        _listen(ways, max(0.0, due - now))
    last = max(ways[0].sent.values())
    forth, back = ways[0].flow(), ways[1].flow() if ways[1:] else None
    return LinkSeen(begin, last, (peer.address,), forth, back, outside=peer.outside)


def _listen(ways: Sequence[Way], timeout: float) -> None:
    sockets = [each for way in ways for each in way.sockets]
    for ready in select.select(sockets, [], [], timeout)[0]:
        for way in ways:
            way.receive(ready)
