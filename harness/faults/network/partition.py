"""`network.partition`: nothing passes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.agent.effects import LinkProfile
from harness.faults.fault import Held
from harness.faults.network._link import LinkFault
from harness.faults.network._path import View
from harness.faults.witness import unseen
from harness.record.witness import Witnessed

_ANSWERED = 0.9


class Partition(LinkFault, kind="network.partition"):
    """No packet passes: dropped in silence, or rejected with an answer to the sender."""

    judged: ClassVar[str] = "partition"

    direction: Literal["forth", "back", "both"] = Field(
        "both", description="what the target sends, what it is sent, or both", examples=["forth"]
    )
    mode: Literal["drop", "reject"] = Field(
        "drop", description="in silence, or the sender is told", examples=["reject"]
    )

    def effect(self) -> LinkProfile:
        return self._profile(cut=self.mode)

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        if not before.hidden and before.flow.received == 0:
            return [unseen(field, 1.0, "share", "nothing passed before, either")]
        sent = sum(view.flow.sent for view in seen)
        stopped = sent - sum(view.flow.received for view in seen)
        refused = sum(view.flow.refused for view in seen)
        asked_for = refused >= _ANSWERED * sent if self.mode == "reject" else refused == 0
        note = f"{refused} of {sent} probes were refused"
        share = stopped / sent if sent else 0.0
        confirmed = 0 < sent == stopped and asked_for
        return [Witnessed(field, 1.0, share, "share", share, share, sent, confirmed, note)]

    def _left(self, after: View, before: View) -> str:
        expected = after.flow.sent * (1 - after.loss) / 2
        if after.flow.received > expected or before.flow.received == 0:
            return ""
        return f"only {after.flow.received} of {after.flow.sent} packets pass"
