"""`network.latency`: packets arrive late."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.agent.effects import LinkProfile
from harness.curves import Varying
from harness.faults.fault import Held, curve
from harness.faults.network._link import LinkFault
from harness.faults.network._path import EVALUATED_S, View, late
from harness.faults.witness import Reading, followed, median, unseen
from harness.mechanisms.pipeline import QUEUE_S, jitter_period
from harness.record.witness import Witnessed
from harness.units import Duration

_SHARE, _LEAST_S = 0.1, 0.002
_FEWEST = 5  #: delays in a look, or it says nothing
#: The standard deviation and the middle 80 % of a jitter of width 1, as the mechanism draws it.
_JITTER_SD, _JITTER_SPREAD = 0.471, 1.27


class Latency(LinkFault, kind="network.latency"):
    """Packets arrive late; their order stays."""

    judged: ClassVar[str] = "delay"

    delay: Varying[Duration] = Field(
        description="added on the way; a round trip gets longer by it, twice with direction both",
        examples=["200ms", {"ramp": "0ms..400ms", "over": "20s"}],
    )
    jitter: Duration = Field(
        Duration(0), description="wanders by plus or minus this much", examples=["20ms"]
    )

    @model_validator(mode="after")
    def _jitter_below_delay(self) -> Self:
        if self.jitter > self.delay.peak:
            raise ValueError("jitter is more than the delay, and nothing arrives before it is sent")
        return self

    def effect(self) -> LinkProfile:
        return self._profile(delay=curve(self.delay), jitter=float(self.jitter))

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        enough = [view for view in seen if len(view.flow.delays) >= _FEWEST]
        found = [followed(field, "s", [self._reading(view, held, before) for view in enough])]
        if self.jitter:
            found.append(self._judge_jitter(field.replace("delay", "jitter"), enough))
        return found

    def _reading(self, view: View, held: Held, before: View) -> Reading:
        asked = late(curve(self.delay), held.since, view)
        value = self._typical(view) - view.delay - self._base(before)
        off = max(_LEAST_S, _SHARE * asked) + _SHARE * view.delay
        off += abs(late(curve(self.delay), held.since + EVALUATED_S, view) - asked)
        width = float(self.jitter) + view.jitter
        draws = max(1.0, (view.end - view.begin) / jitter_period(width))
        noise = _JITTER_SD * 1.3 * width / sqrt(draws)
        queue = QUEUE_S if view.rate < float("inf") else 0.0
        return Reading(asked, value, off, off + queue, noise, len(view.flow.delays))

    def _typical(self, view: View) -> float:
        """The median where the delay is constant, else the mean without stray values."""
        delays = sorted(view.flow.delays)
        if self.delay.is_constant and all(not o.profile.delay for o in view.others):
            return median(delays)
        stray = len(delays) // 20
        middle = delays[stray : len(delays) - stray]
        return sum(middle) / len(middle)

    def _base(self, before: View) -> float:
        if len(before.flow.delays) < _FEWEST:
            return 0.0
        return max(0.0, median(before.flow.delays) - before.delay)

    def _judge_jitter(self, field: str, seen: list[View]) -> Witnessed:
        """How far the middle of the delays spreads, where nothing else moves them."""
        alone = [view for view in seen if not view.others]
        if not alone or not self.delay.is_constant:
            return unseen(field, float(self.jitter), "s", "as asked", confirmed=None)
        delays = sorted(delay for view in alone for delay in view.flow.delays)
        tenth = len(delays) // 10
        value = (delays[-1 - tenth] - delays[tenth]) / _JITTER_SPREAD
        draws = sum(view.end - view.begin for view in alone) / jitter_period(self.jitter)
        off = max(_LEAST_S, float(self.jitter) * min(0.9, max(0.3, 2 / sqrt(max(1.0, draws)))))
        fits = abs(value - self.jitter) <= off
        return Witnessed(field, float(self.jitter), value, "s", value, value, len(delays), fits)

    def _left(self, after: View, before: View) -> str:
        if len(after.flow.delays) < _FEWEST:
            return ""
        value = median(after.flow.delays) - after.delay - self._base(before)
        allowed = max(_LEAST_S, _SHARE / 2 * self.delay.peak) + _SHARE * after.delay
        return (
            f"packets are still {Duration(value)} late"
            if value > allowed + after.straggling
            else ""
        )

    def _in_words(self) -> str:
        times = 2 if self.direction == "both" else 1
        if self.delay.is_constant:
            return f"{Duration(times * self.delay.peak)} more round trip"
        return f"up to {Duration(times * self.delay.peak)} more round trip"
