"""`network.loss`: packets get lost."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import LinkProfile
from harness.curves import Varying
from harness.faults.fault import Held, curve
from harness.faults.network._link import LinkFault
from harness.faults.network._path import View
from harness.faults.witness import Count, share_of
from harness.record.witness import Witnessed
from harness.units import Share


class Loss(LinkFault, kind="network.loss"):
    """A share of the packets never arrives; nobody is told."""

    judged: ClassVar[str] = "loss"

    loss: Varying[Share] = Field(
        description="of the packets, drawn for each",
        examples=["5%", {"ramp": "0%..20%", "over": "20s"}],
    )

    def effect(self) -> LinkProfile:
        return self._profile(loss=curve(self.loss))

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        counts = [self._count(view, held) for view in seen]
        return [share_of(field, counts, varies=not self.loss.is_constant)]

    def _count(self, view: View, held: Held) -> Count:
        asked = curve(self.loss).mean(view.begin - held.since, view.end - held.since)
        others = view.loss
        lost = view.flow.sent - view.flow.received
        return Count(asked, lost, view.flow.sent, lambda share: 1 - (1 - share) / (1 - others))

    def _left(self, after: View, before: View) -> str:
        lost = after.flow.sent - after.flow.received
        most = 1 + after.flow.sent * after.loss * 2
        queued = after.rate < float("inf")
        return (
            f"{lost} of {after.flow.sent} packets still get lost"
            if lost > most and not queued
            else ""
        )
