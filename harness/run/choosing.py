"""Which mechanism carries each effect out: asked once, before anything is done.

A plan names what can be told without starting anything; the rung of a ladder is known to the agent
beside its target alone.
"""

from __future__ import annotations

from harness.agent.effects import Effect, Resource
from harness.capabilities import Hands, HandsError
from harness.errors import NotReady
from harness.record.plan import Plan


def chosen(plan: Plan, hands: Hands) -> dict[str, str]:
    """By the ids of effects. One for each resource, for all that the plan will want of it. Raises
    `NotReady` where nothing does that."""
    wanted: dict[Resource, list[Effect]] = {}
    for effect in plan.effects:
        held = wanted.setdefault(effect.resource, [])
        if not effect.event:
            held.append(effect.does)  # type: ignore[arg-type]
    found = {resource: _ask(hands, resource, tuple(does)) for resource, does in wanted.items()}
    return {effect.id: found[effect.resource] for effect in plan.effects}


def _ask(hands: Hands, resource: Resource, effects: tuple[Effect, ...]) -> str:
    try:
        return hands.mechanism(resource, effects)
    except HandsError as error:
        raise NotReady(
            f"{resource.target}: {error}", hint="harness doctor tells what each node has"
        ) from None
