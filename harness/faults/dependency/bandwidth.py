"""`dependency.bandwidth`: the dependency's answers come slowly."""

from __future__ import annotations

from pydantic import Field

from harness.agent.effects import Curve, Toxic, Transfer
from harness.curves import Varying
from harness.faults.dependency._edge import EdgeFault
from harness.faults.dependency._transfers import Gauge, judge_transfers, left, seconds
from harness.faults.fault import Held, Look, curve
from harness.faults.witness import Reading
from harness.record.witness import Witnessed
from harness.units import Bandwidth as BitsPerSecond
from harness.units import Share

_OFF = 0.15
_BITS = 8000  # in a kilobyte, which is Toxiproxy's unit


class Bandwidth(EdgeFault, kind="dependency.bandwidth"):
    """Each connection carries so much of what the dependency sends, and no more; nothing is lost.

    Ten connections carry ten times as much. Counted are the bytes of answers, without headers.
    """

    rate: Varying[BitsPerSecond] = Field(
        description="bits a second that pass on each connection, in steps of 8kbit",
        examples=["1mbit", {"step": ["8mbit", "800kbit"], "every": "5s"}],
    )
    share: Share = Field(
        Share(1), description="of the connections, drawn for each", examples=["100%", "20%"]
    )

    def effect(self) -> Toxic:
        rate = curve(self.rate)
        points = tuple((at, value / _BITS) for at, value in rate.points)
        numbers = (("rate", Curve(points, rate.smooth, rate.every)),)
        return Toxic("bandwidth", "downstream", float(self.share), numbers)

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        return judge_transfers(held, self.effect(), self._met, Gauge("rate", "bit/s", self._read))

    def gone(self, held: Held, after: Look) -> str:
        slow = "answers still come slowly" if left(held, after, self._met) else ""
        return super().gone(held, after) or slow

    def _met(self, held: Held, seen: Transfer) -> bool:
        reading = self._read(held, seen)
        return seen.outcome == "ok" and reading.value <= reading.asked * (1 + _OFF)

    def _read(self, held: Held, seen: Transfer) -> Reading:
        begin = seen.at - held.since
        asked = curve(self.rate).mean(begin, begin + seconds(seen))
        rate = seen.bytes * 8 / max(1e-4, seconds(seen)) if seen.outcome == "ok" else 0.0
        return Reading(asked, rate, _OFF * asked, _OFF * asked)

    def says(self) -> str:
        part = f" on {self.share} of them" if self.share < 1 else ""
        return f"answers come at {self.rate} on each connection{part}"
