"""`network.duplicate`: packets arrive twice."""

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


class Duplicate(LinkFault, kind="network.duplicate"):
    """A share of the packets arrives twice."""

    judged: ClassVar[str] = "duplicate"

    duplicate: Varying[Share] = Field(
        description="of the packets, drawn for each", examples=["10%"]
    )

    def effect(self) -> LinkProfile:
        return self._profile(duplicate=curve(self.duplicate))

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        counts = [self._count(view, held) for view in seen]
        return [share_of(field, counts, varies=not self.duplicate.is_constant)]

    def _count(self, view: View, held: Held) -> Count:
        """A copy is seen as one when both arrive; the others' losses take some away."""
        asked = curve(self.duplicate).mean(view.begin - held.since, view.end - held.since)
        copies, both = view.copies, 1 - view.loss
        return Count(
            asked, min(view.flow.duplicates, view.flow.received), view.flow.received,
            lambda share: ((1 + share) / copies - 1) / (both or 1.0),
        )  # fmt: skip

    def _left(self, after: View, before: View) -> str:
        most = 1 + 2 * after.flow.received * (after.copies - 1)
        twice = after.flow.duplicates
        return f"{twice} of {after.flow.received} packets still come twice" if twice > most else ""
