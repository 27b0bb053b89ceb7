"""Newcomers that a fault has followed: effects that the journal tells, and no plan could."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harness.agent.effects import decode
from harness.record.journal import Step
from harness.record.plan import Plan, PlannedEffect


def with_joined(plan: Plan, steps: Iterable[Step]) -> Plan:
    """The plan with everything that joined it."""
    known = {effect.id for effect in plan.effects}
    joined = (step for step in steps if step.step == "joined" and step.effect not in known)
    return replace(plan, effects=(*plan.effects, *(_effect(s.data["planned"]) for s in joined)))


def _effect(data: dict[str, Any]) -> PlannedEffect:
    return PlannedEffect(**{key: decode(value) for key, value in data.items()})
