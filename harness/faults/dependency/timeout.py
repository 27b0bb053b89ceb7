"""`dependency.timeout`: the dependency takes connections and requests, and does not answer."""

from __future__ import annotations

from pydantic import Field

from harness.agent.effects import Curve, Toxic
from harness.faults.dependency._edge import EdgeFault, Expected, judge_outcomes
from harness.faults.fault import Held
from harness.record.witness import Witnessed
from harness.units import Duration, Share


class Timeout(EdgeFault, kind="dependency.timeout"):
    """Answers stop. Requests still arrive, so work may be done that nobody hears of.

    When the fault is taken back, connections whose answers were lost are closed.
    """

    after: Duration = Field(
        Duration(0),
        description="silence after which the connection is closed; 0: it hangs until taken back",
        examples=["0s", "3s"],
    )
    share: Share = Field(
        Share(1), description="of the connections, drawn for each", examples=["100%", "20%"]
    )

    def effect(self) -> Toxic:
        after = Curve.constant(float(self.after) * 1000)
        return Toxic("timeout", "downstream", float(self.share), (("timeout", after),))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        ends = ("closed", "reset") if self.after else ("timeout",)
        return judge_outcomes(held, Expected(new=ends, open=ends), float(self.share))

    def says(self) -> str:
        then = f", closed after {self.after}" if self.after else " until taken back"
        return f"no answers on {self.share} of the connections{then}"
