"""`network.corrupt`: packets arrive damaged."""

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


class Corrupt(LinkFault, kind="network.corrupt"):
    """A share of the packets arrives with one bit wrong; its checksum gives it away."""

    judged: ClassVar[str] = "corrupt"

    corrupt: Varying[Share] = Field(description="of the packets, drawn for each", examples=["1%"])

    def effect(self) -> LinkProfile:
        return self._profile(corrupt=curve(self.corrupt))

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        counts = [self._count(view, held) for view in seen]
        return [share_of(field, counts, varies=not self.corrupt.is_constant)]

    def _count(self, view: View, held: Held) -> Count:
        asked = curve(self.corrupt).mean(view.begin - held.since, view.end - held.since)
        others = view.corruption
        return Count(
            asked, view.flow.corrupted, view.flow.received,
            lambda share: 1 - (1 - share) / (1 - others),
        )  # fmt: skip

    def _left(self, after: View, before: View) -> str:
        most = 1 + 2 * after.flow.received * after.corruption
        damaged = after.flow.corrupted
        return (
            f"{damaged} of {after.flow.received} packets still arrive damaged"
            if damaged > most
            else ""
        )
