"""`dependency.reset`: connections to the dependency break off."""

from __future__ import annotations

from pydantic import Field

from harness.agent.effects import Curve, Toxic, ToxiproxyEdge
from harness.faults.dependency._edge import EdgeFault, Expected, judge_outcomes
from harness.faults.fault import Held
from harness.record.witness import Witnessed
from harness.units import Duration, Share


class Reset(EdgeFault, kind="dependency.reset"):
    """Connections are reset (RST) with the next data that the caller sends.

    That data does not reach the dependency. New connections are made, and break the same way.
    """

    after: Duration = Field(
        Duration(0), description="from the data to the reset", examples=["0s", "50ms"]
    )
    share: Share = Field(
        Share(1), description="of the connections, drawn for each", examples=["100%", "20%"]
    )

    def effect(self) -> Toxic:
        after = Curve.constant(float(self.after) * 1000)
        return Toxic("reset_peer", "upstream", float(self.share), (("timeout", after),))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        broken = ("reset",)
        # A Toxiproxy resets connections that began under the toxic, and closes the others.
        before = (*broken, "closed") if isinstance(held.resource, ToxiproxyEdge) else broken
        return judge_outcomes(held, Expected(new=broken, open=before), float(self.share))

    def says(self) -> str:
        late = f" {self.after} later" if self.after else ""
        return f"{self.share} of the connections reset{late} when the caller sends"
