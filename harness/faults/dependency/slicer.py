"""`dependency.slicer`: the dependency's answers come in small pieces."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from harness.agent.effects import Curve, Toxic, Transfer
from harness.faults.dependency._edge import EdgeFault
from harness.faults.dependency._transfers import Gauge, judge_transfers, left
from harness.faults.fault import Held, Look
from harness.faults.witness import Reading
from harness.record.witness import Witnessed
from harness.units import Duration, Share, Size


def _size(value: Size) -> Size:
    if not 1 <= value <= 16384:
        raise ValueError(f"a piece is 1B to 16KiB, not {value}")
    return value


def _pause(value: Duration) -> Duration:
    if not 0.001 <= value <= 1:
        raise ValueError(f"a pause is 1ms to 1s, not {value}: shorter ones run together")
    return value


class Slicer(EdgeFault, kind="dependency.slicer"):
    """What the dependency sends comes in pieces with pauses; nothing is lost, its order stays.

    Data is halved until no part is longer than `size`: pieces are between half of it and all.
    """

    size: Annotated[Size, AfterValidator(_size)] = Field(
        description="bytes of a piece, at most", examples=["64B", "1KB"]
    )
    pause: Annotated[Duration, AfterValidator(_pause)] = Field(
        description="after each piece", examples=["10ms"]
    )
    share: Share = Field(
        Share(1), description="of the connections, drawn for each", examples=["100%", "20%"]
    )

    def effect(self) -> Toxic:
        numbers = (
            ("average_size", Curve.constant(float(int(self.size)))),
            ("size_variation", Curve.constant(0.0)),
            ("delay", Curve.constant(round(float(self.pause) * 1e6))),
        )
        return Toxic("slicer", "downstream", float(self.share), numbers)

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        gauges = (Gauge("size", "B", self._read_size), Gauge("pause", "s", self._read_pause))
        return judge_transfers(held, self.effect(), self._met, *gauges)

    def gone(self, held: Held, after: Look) -> str:
        pieces = "answers still come in pieces" if left(held, after, self._met) else ""
        return super().gone(held, after) or pieces

    def _met(self, held: Held, seen: Transfer) -> bool:
        """At least one pause, whatever a busy machine added."""
        return seen.outcome == "ok" and seen.pieces > 1 and seen.took > 0.75 * self.pause

    def _read_size(self, held: Held, seen: Transfer) -> Reading:
        size = float(self.size)
        return Reading(size, seen.bytes / max(1, seen.pieces), 0.6 * size, 0.5 * size)

    def _read_pause(self, held: Held, seen: Transfer) -> Reading:
        pause = float(self.pause)
        value = seen.took / max(1, seen.pieces - 1)
        return Reading(pause, value, 0.25 * pause, max(0.002, 0.5 * pause))

    def says(self) -> str:
        part = f" on {self.share} of the connections" if self.share < 1 else ""
        return f"answers come in pieces of {self.size}, {self.pause} apart{part}"
