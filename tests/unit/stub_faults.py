"""Faults as small as they can be, for tests of the file format alone."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.capabilities import Edges, Links, Signals, Units
from harness.curves import Varying
from harness.faults.fault import Condition, Event, Fault
from harness.units import Bandwidth, Duration, Share


class _Link(Condition):
    needs: ClassVar = Links
    direction: Literal["forth", "back", "both"] = "forth"
    ports: tuple[int, ...] = ()


class Latency(_Link, kind="network.latency"):
    """Packets arrive late."""

    delay: Varying[Duration] = Field(description="added", examples=["200ms"])
    jitter: Duration = Duration(0)


class Loss(_Link, kind="network.loss"):
    """Packets get lost."""

    loss: Varying[Share] = Field(description="share that is lost")


class Rate(_Link, kind="network.bandwidth"):
    """Packets queue."""

    rate: Varying[Bandwidth] = Field(description="the most that gets through")


class Partition(_Link, kind="network.partition"):
    """No packet arrives."""

    mode: Literal["drop", "reject"] = "drop"


class Pause(Condition, kind="process.pause"):
    """Processes are stopped."""

    needs: ClassVar = Signals


class Kill(Event, kind="process.kill"):
    """Processes are killed."""

    needs: ClassVar = Signals
    signal: Literal["KILL", "TERM"] = "KILL"


class Restart(Event, kind="service.restart"):
    """The service is restarted."""

    needs: ClassVar = Units


class Down(Condition, kind="dependency.down"):
    """Nothing listens."""

    needs: ClassVar = Edges
    on_edges: ClassVar = True


FAULTS: dict[str, type[Fault]] = {
    fault.kind: fault for fault in (Latency, Loss, Rate, Partition, Pause, Kill, Restart, Down)
}
