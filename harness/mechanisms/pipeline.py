"""What becomes of a frame on a faulty link: when it goes on, how often, changed, or not at all.

Pure: frames and times go in, frames and times come out; the relay does the waiting. Effects act
one after the other, in the order of their injection, as stages of a pipe. Caveat: packets that a
stage delays keep their order (a jitter moves all of them), but for the share that it reorders.
"""

from __future__ import annotations

import random
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from harness.agent.effects import Curve, InForce, LinkProfile
from harness.mechanisms.filters import Filter
from harness.mechanisms.packets import Packet, flipped, read, refusal

#: A queue before a rate holds this much, and at least a few frames at very low rates.
QUEUE_S = 0.1
_QUEUE_BITS = 4 * 1514 * 8
#: How often a curve is looked at.
_STEP_S = 0.05

Flow = Tuple[bytes, bytes, int, int, int]


class Out(NamedTuple):
    """A frame to send at `at`: onward, or back to where it came from."""

    at: float
    frame: bytes
    onward: bool = True


class Pipeline:
    """All effects of one link. `counts`: application packets that met each effect."""

    def __init__(self) -> None:
        self._stages: Tuple[Stage, ...] = ()
        self._floors: Dict[Flow, float] = {}
        self.counts: Dict[str, int] = {}

    def set(self, effects: Tuple[InForce, ...], held: Iterable[Out] = ()) -> None:
        """These effects from now on; later frames of a flow stay behind those in `held`."""
        known = {stage.in_force: stage for stage in self._stages}
        self._stages = tuple(known.get(e) or Stage(e) for e in effects)
        self._floors = {}
        for out in held:
            packet = read(out.frame)
            if packet is not None:
                flow = _flow(packet)
                self._floors[flow] = max(out.at, self._floors.get(flow, 0.0))

    def take(self, frame: bytes, forth: bool, now: float) -> Tuple[Out, ...]:
        """What becomes of a frame that came at `now`."""
        packet = read(frame)
        if packet is None or not (self._stages or self._floors):
            return (Out(now, frame),)
        going = [Out(now, frame)]
        back: List[Out] = []
        for stage in self._stages:
            if not going:
                break
            if stage.filter.matches(packet, forth):
                self._count(stage, packet)
                if stage.profile.cut:
                    back += stage.cut(going, packet)
                    going = []
                else:
                    going = [out for each in going for out in stage.treat(each, packet, forth, now)]
        return tuple(self._behind(going, packet, now) + back)

    def _count(self, stage: Stage, packet: Packet) -> None:
        if not packet.ours:
            effect_id = stage.in_force.id
            self.counts[effect_id] = self.counts.get(effect_id, 0) + 1

    def _behind(self, going: List[Out], packet: Packet, now: float) -> List[Out]:
        """Not before what was held of this flow when the effects changed."""
        if not self._floors:
            return going
        floor = self._floors.get(_flow(packet), 0.0)
        if max(self._floors.values()) < now:
            self._floors = {}
        return [out._replace(at=max(out.at, floor)) for out in going]


class Stage:
    """One effect. Each direction has a queue and a jitter of its own."""

    def __init__(self, in_force: InForce) -> None:
        assert isinstance(in_force.effect, LinkProfile), "links take profiles"
        self.in_force = in_force
        self.profile = in_force.effect
        self.filter = Filter(in_force.effect)
        self._chance = random.Random(in_force.draws)
        self._values: Dict[str, Tuple[float, float]] = {}
        self._free = {True: 0.0, False: 0.0}
        self._last = {True: 0.0, False: 0.0}
        self._jitter = {way: Jitter(self.profile.jitter, self._chance) for way in (True, False)}

    def cut(self, going: List[Out], packet: Packet) -> List[Out]:
        """Nothing goes on; where the sender is to be told, this is what it hears."""
        if self.profile.cut != "reject":
            return []
        answers = [refusal(out.frame, packet) for out in going]
        return [Out(0.0, answer, onward=False) for answer in answers if answer is not None]

    def treat(self, out: Out, packet: Packet, forth: bool, now: float) -> Tuple[Out, ...]:
        if self._happens("loss", self.profile.loss, now):
            return ()
        if self._happens("corrupt", self.profile.corrupt, now):
            out = out._replace(frame=flipped(out.frame, packet, self._chance.random()))
        copies = 2 if self._happens("duplicate", self.profile.duplicate, now) else 1
        passed = [self._pass(out, forth, now) for _ in range(copies)]
        return tuple(each for each in passed if each is not None)

    def _pass(self, out: Out, forth: bool, now: float) -> Optional[Out]:
        """Through the rate's queue and along the delay; None when the queue is full."""
        at = out.at
        if self.profile.rate is not None:
            queued = self._queue(at, len(out.frame) * 8, forth, now)
            if queued is None:
                return None
            at = queued
        if self.profile.delay is not None:
            later = self._value("delay", self.profile.delay, now) + self._jitter[forth].at(now)
            at = self._last[forth] = max(at + max(0.0, later), self._last[forth])
        if self._happens("reorder", self.profile.reorder, now):
            at += self.profile.hold
        return out._replace(at=at)

    def _queue(self, at: float, bits: int, forth: bool, now: float) -> Optional[float]:
        assert self.profile.rate is not None, "only a rate has a queue"
        rate = self._value("rate", self.profile.rate, now)
        free = max(self._free[forth], at)
        if free - at > max(QUEUE_S, _QUEUE_BITS / rate):
            return None
        self._free[forth] = free + bits / rate
        return self._free[forth]

    def _happens(self, name: str, curve: Optional[Curve], now: float) -> bool:
        return curve is not None and self._chance.random() < self._value(name, curve, now)

    def _value(self, name: str, curve: Curve, now: float) -> float:
        value, until = self._values.get(name, (0.0, 0.0))
        if now >= until:
            value = curve.at(now - self.in_force.since)
            self._values[name] = value, now + _STEP_S
        return value


class Jitter:
    """A delay that wanders between -width and +width: straight lines between uniform draws.

    Slower than time itself, so that it never makes a packet overtake another, and its mean is 0.
    """

    def __init__(self, width: float, chance: random.Random) -> None:
        self._width = width
        self._chance = chance
        self.period = jitter_period(width)
        self._from = self._draw()
        self._to = self._draw()
        self._begin = 0.0

    def at(self, now: float) -> float:
        if not self._width:
            return 0.0
        if now >= self._begin + self.period:
            missed = now >= self._begin + 2 * self.period
            self._from = self._draw() if missed else self._to
            self._to = self._draw()
            self._begin = now if missed else self._begin + self.period
        return self._from + (self._to - self._from) * (now - self._begin) / self.period

    def _draw(self) -> float:
        return self._chance.uniform(-self._width, self._width)


def jitter_period(width: float) -> float:
    """Seconds from one draw to the next; twice the width would just keep the order."""
    return max(2.5 * width, 0.005)


def _flow(packet: Packet) -> Flow:
    return packet.source, packet.destination, packet.protocol, packet.sport, packet.dport
