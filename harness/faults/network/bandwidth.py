"""`network.bandwidth`: the link carries less."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import LinkProfile
from harness.curves import Varying
from harness.faults.fault import Held, curve
from harness.faults.network._link import LinkFault
from harness.faults.network._path import View
from harness.faults.witness import Reading, followed, unseen
from harness.record.witness import Witnessed
from harness.units import Bandwidth as BitsPerSecond

_SHARE = 0.1


class Bandwidth(LinkFault, kind="network.bandwidth"):
    """The link carries so many bits a second; a queue of 100 ms before it, the rest is dropped."""

    judged: ClassVar[str] = "rate"

    rate: Varying[BitsPerSecond] = Field(
        description="bits a second that pass, headers included",
        examples=["10mbit", {"step": ["10mbit", "1mbit"], "every": "5s"}],
    )

    def effect(self) -> LinkProfile:
        return self._profile(rate=curve(self.rate))

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        pairs = [(view, self._reading(view, held)) for view in seen]
        mine = [reading for view, reading in pairs if view.rate > reading.asked]
        if not mine:
            return [unseen(field, self.rate.peak, "bit/s", "hidden by a slower rate")]
        return [followed(field, "bit/s", mine)]

    def _reading(self, view: View, held: Held) -> Reading:
        asked = curve(self.rate).mean(view.begin - held.since, view.end - held.since)
        below = asked * (1 - (1 - _SHARE) * (1 - view.loss))
        above = asked * ((1 + _SHARE) * view.copies - 1)
        return Reading(asked, view.flow.bits_per_s, below, above, samples=view.flow.received)

    def _left(self, after: View, before: View) -> str:
        rate, slowest = after.flow.bits_per_s, self.rate.peak * (1 + 2 * _SHARE)
        if rate > slowest or rate > before.flow.bits_per_s / 2 or rate > after.rate * (1 - _SHARE):
            return ""
        return f"the link still carries {BitsPerSecond(rate)} only"
