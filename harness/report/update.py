"""What the run tells whoever watches it, a few times a second."""

from __future__ import annotations

from dataclasses import dataclass

from harness.measure.speaking import Spoken


@dataclass(frozen=True)
class Update:
    """`now_s` counts from the end of the warm-up; rates per second; None: not known yet. `lines`
    are the objectives that speak of this moment.
    """

    now_s: float
    faults: tuple[str, ...] = ()
    asked: float | None = None
    reached: float | None = None
    availability: float | None = None
    p99_ms: float | None = None
    lines: tuple[Spoken, ...] = ()
