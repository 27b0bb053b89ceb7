"""`dependency.slow_close`: connections end later than the dependency ends them."""

from __future__ import annotations

from pydantic import Field

from harness.agent.effects import Curve, Toxic, Transfer
from harness.faults.dependency._edge import EdgeFault
from harness.faults.dependency._transfers import Gauge, judge_transfers, left
from harness.faults.fault import Held, Look
from harness.faults.witness import Reading
from harness.record.witness import Witnessed
from harness.units import Duration, Share


class SlowClose(EdgeFault, kind="dependency.slow_close"):
    """Data goes on as ever; that the dependency has closed a connection is known later.

    Pools keep what is of no use any more, and clients that read to the end wait for it.
    """

    delay: Duration = Field(
        description="from the dependency's end of a connection to its arrival",
        examples=["500ms", "2s"],
    )
    share: Share = Field(
        Share(1), description="of the connections, drawn for each", examples=["100%", "20%"]
    )

    def effect(self) -> Toxic:
        delay = Curve.constant(float(self.delay) * 1000)
        return Toxic("slow_close", "downstream", float(self.share), (("delay", delay),))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        return judge_transfers(held, self.effect(), self._met, Gauge("delay", "s", self._read))

    def gone(self, held: Held, after: Look) -> str:
        late = "connections still end late" if left(held, after, self._met) else ""
        return super().gone(held, after) or late

    def _met(self, held: Held, seen: Transfer) -> bool:
        return seen.outcome == "ok" and seen.closing >= 0.9 * self.delay

    def _read(self, held: Held, seen: Transfer) -> Reading:
        delay = float(self.delay)
        return Reading(delay, seen.closing, 0.1 * delay, 0.1 * delay + 0.1)

    def says(self) -> str:
        part = f" of {self.share}" if self.share < 1 else ""
        return f"the end{part} of the connections arrives {self.delay} later"
