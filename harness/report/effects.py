"""Each effect's life out of the plan and the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.agent.effects import Resource
from harness.clock import Epoch
from harness.record.journal import Step
from harness.record.plan import Plan, PlannedEffect
from harness.record.witness import Witnessed
from harness.report.looks import tracks_of
from harness.report.record import Effect, Exercised

_GONE = ("gone", "target_gone", "recovered")


def effects_of(plan: Plan, steps: tuple[Step, ...], epoch: Epoch) -> tuple[Effect, ...]:
    """In the order of the plan. What only prepares is left out, unless it stayed behind."""
    used = _mechanisms(plan, steps)
    effects = (replace(e, mechanism=used.get(e.resource) or e.mechanism) for e in plan.effects)
    made = ((e, _effect(e, [s for s in steps if s.effect == e.id], epoch)) for e in effects)
    return tuple(effect for planned, effect in made if not planned.prepare or effect.left_behind)


def _mechanisms(plan: Plan, steps: tuple[Step, ...]) -> dict[Resource, str]:
    """What was chosen when the world was up, and whose receipts there are: a plan may not know."""
    told = (step.data.get("mechanisms", {}) for step in steps if step.step == "world.ready")
    names = {id: name for chosen in told for id, name in chosen.items()}
    names |= {
        step.effect: step.data.get("snapshot", {}).get("mechanism", "")
        for step in steps
        if step.step == "receipt"
    }
    return {effect.resource: names[effect.id] for effect in plan.effects if names.get(effect.id)}


def _effect(planned: PlannedEffect, steps: list[Step], epoch: Epoch) -> Effect:
    begun = _first(steps, ("injecting", "acting"))
    injected = _first(steps, ("injected", "acted"))
    reverting, reverted = _first(steps, ("reverting",)), _first(steps[::-1], ("reverted",))
    gone = _first(steps[::-1], _GONE)
    judged, exercised = _first(steps[::-1], ("judged",)), _first(steps[::-1], ("exercised",))
    left = _left_behind(steps)
    return Effect(
        id=planned.id,
        intervention=planned.intervention,
        fault=planned.kind,
        target=planned.target,
        mechanism=_mechanism(planned, steps),
        says=planned.says,
        event=planned.event,
        confirmed=bool(judged and judged.data.get("confirmed")),
        witnessed=_witnessed(judged),
        exercised=Exercised(**exercised.data) if exercised else None,
        injected_at_s=_at(injected, epoch),
        inject_ms=_took_ms(begun, injected),
        reverted_at_s=_at(reverted, epoch),
        revert_ms=_took_ms(reverting, reverted),
        gone_at_s=_at(gone, epoch),
        left_behind=tuple(left.data.get("what", ())) if left else (),
        by_hand=tuple(left.data.get("commands", ())) if left else (),
        tracks=tracks_of(steps, epoch),
    )


def _mechanism(planned: PlannedEffect, steps: list[Step]) -> str:
    """What took the snapshot: on a node of a cluster only its agent knows what works there."""
    receipt = _first(steps, ("receipt",))
    snapshot = receipt.data.get("snapshot") if receipt else None
    return str(snapshot["mechanism"]) if isinstance(snapshot, dict) else planned.mechanism


def _left_behind(steps: list[Step]) -> Step | None:
    """The last word on it: a later `recovered` took it back after all."""
    left = _first(steps[::-1], ("left_behind",))
    gone = _first(steps[::-1], _GONE)
    return left if left and not (gone and gone.number > left.number) else None


def _witnessed(judged: Step | None) -> tuple[Witnessed, ...]:
    return tuple(Witnessed(**line) for line in judged.data["witnessed"]) if judged else ()


def _first(steps: Iterable[Step], names: tuple[str, ...]) -> Step | None:
    return next((step for step in steps if step.step in names), None)


def _at(step: Step | None, epoch: Epoch) -> float | None:
    return round(epoch.seconds(step.at), 4) if step else None


def _took_ms(begin: Step | None, end: Step | None) -> float | None:
    return round((end.at - begin.at) / 1e6, 3) if begin and end and end.at >= begin.at else None
