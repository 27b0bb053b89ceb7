"""`network.reorder`: packets overtake each other."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import LinkProfile
from harness.curves import Varying
from harness.faults.fault import Held, curve
from harness.faults.network._link import LinkFault
from harness.faults.network._path import View
from harness.faults.witness import Count, median, share_of, unseen
from harness.record.witness import Witnessed
from harness.units import Duration, Share


class Reorder(LinkFault, kind="network.reorder"):
    """A share of the packets is held back for a moment, so that later ones arrive first."""

    judged: ClassVar[str] = "reorder"

    reorder: Varying[Share] = Field(description="of the packets, drawn for each", examples=["20%"])
    hold: Duration = Field(
        Duration(0.01), description="how long those are held back", examples=["10ms"]
    )

    def effect(self) -> LinkProfile:
        return self._profile(reorder=curve(self.reorder), hold=float(self.hold))

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        base = median(before.flow.delays) - before.delay if before.flow.delays else 0.0
        clear = [view for view in seen if view.straggling < self.hold / 2]
        if not clear:
            return [unseen(field, self.reorder.peak, "share", "hidden by another fault's delays")]
        counts = [self._count(view, held, base) for view in clear]
        return [share_of(field, counts, varies=not self.reorder.is_constant)]

    def _count(self, view: View, held: Held, base: float) -> Count:
        """Those that came too late by half of the hold: whether a probe was near enough to overtake
        one depends on the pace of the probes."""
        asked = curve(self.reorder).mean(view.begin - held.since, view.end - held.since)
        limit = max(0.0, base) + view.delay + self.hold / 2
        back = sum(delay > limit for delay in view.flow.delays)
        return Count(asked, back, len(view.flow.delays))

    def _left(self, after: View, before: View) -> str:
        most = 1 if after.straggling == 0 else after.flow.received
        back = after.flow.reordered
        return (
            f"{back} of {after.flow.received} packets still come out of order"
            if back > most
            else ""
        )
