"""What the witness saw of an effect, look by look: the journal's `look` steps as tracks to draw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.clock import SECOND, Epoch
from harness.record.journal import Step
from harness.report.record import Track


def tracks_of(steps: Iterable[Step], epoch: Epoch) -> tuple[Track, ...]:
    """One track for each field that can be seen, from the `look` steps among an effect's."""
    asked: dict[tuple[str, str], list[tuple[float, float]]] = {}
    seen: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for step in steps:
        span = _span(step, epoch)
        for line in step.data.get("witnessed", ()) if span else ():
            if span and line["confirmed"] is not None:
                name = (line["field"], line["unit"])
                asked.setdefault(name, []).extend((at, line["asked"]) for at in span)
                seen.setdefault(name, []).append((*span, line["value"]))
    return tuple(Track(*name, tuple(asked[name]), tuple(seen[name])) for name in asked)


def _span(step: Step, epoch: Epoch) -> tuple[float, float] | None:
    """When a look began and ended; None for what is no look, or one that failed."""
    seen: dict[str, Any] = step.data.get("seen") or {}
    if step.step != "look" or "begin" not in seen:
        return None
    begin, end = (epoch.seconds(round(seen[key] * SECOND)) for key in ("begin", "end"))
    return begin, end
