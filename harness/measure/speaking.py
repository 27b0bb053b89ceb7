"""Which objectives speak of this moment of a run, and what they would say of the last seconds.

For the live view only: what the verdict says is counted from the recording afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from harness.experiment.model import Objective
from harness.measure.indicators import holds
from harness.measure.live import LiveView
from harness.record.plan import Plan

_COUNTED = ("availability", "errors", "latency", "throughput")
_UNITS = {"latency": "s", "throughput": "/s"}


@dataclass(frozen=True)
class Spoken:
    """An objective's line beside what was measured of it in the last seconds, in `unit`."""

    text: str
    value: float
    unit: str
    holds: bool


def spoken(plan: Plan, view: LiveView, active: Collection[str], now_s: float) -> tuple[Spoken, ...]:
    """What is known now; a line of which nothing was measured is left out."""
    found = ((o, view.value(o)) for o in speaking(plan, active, now_s))
    return tuple(
        Spoken(o.text, value, _UNITS.get(o.indicator, "share"), holds(o, value))
        for o, value in found
        if not math.isnan(value)
    )


def speaking(plan: Plan, active: Collection[str], now_s: float) -> Iterator[Objective]:
    """Objectives whose window this moment lies in."""
    for objective in plan.objectives:
        plain = objective.indicator in _COUNTED and not (objective.than or objective.slice_s)
        if plain and now_s >= 0 and _inside(objective, plan, active, now_s):
            yield objective


def _inside(objective: Objective, plan: Plan, active: Collection[str], now_s: float) -> bool:
    faults = [e for e in plan.effects if not e.prepare]
    mine = [e for e in faults if objective.window_id in ("", e.intervention)]
    begun = any(e.at <= now_s for e in faults)
    match objective.window:
        case "":
            return begun or not faults
        case "baseline":
            return not begun and not active
        case "during":
            return any(e.intervention in active for e in mine)
    return any(e.at + e.lasts < now_s and e.intervention not in active for e in mine)
