"""Small plans, drawn at random: a few effects on few resources, so that they meet."""

from __future__ import annotations

import random
from functools import lru_cache

from harness.agent.effects import Kill, Link, LinkProfile, Processes, Resource
from harness.record.plan import Plan, PlannedEffect

#: So many different plans; schedules share them.
PLANS = 4096
WARMUP_S = 1.0
#: What filters mean; a service may move between these.
PEERS, ELSEWHERE = ("192.0.2.1",), ("192.0.2.2", "192.0.2.3")
_HOSTS = ("api-0", "api-1")
_PREPARED = Link("edge", "", "", "")


@lru_cache(PLANS)
def plan_of(number: int) -> Plan:
    """The plan of that number, the same each time."""
    chance = random.Random(number)
    effects: list[PlannedEffect] = []
    if chance.random() < 0.25:
        effects.append(_effect("prepare/edge", _PREPARED, 0.0, 0.0, prepare=True))
    for n in range(chance.choice((1, 1, 2, 2, 2, 3))):
        at, lasts = chance.uniform(0, 3.5), chance.uniform(0.4, 3.5)
        hosts = chance.sample(_HOSTS, 2) if chance.random() < 0.2 else [chance.choice(_HOSTS)]
        event = chance.random() < 0.2
        for host in hosts:
            resource = Processes(host) if event or chance.random() < 0.1 else _link(host, chance)
            effects.append(
                _effect(f"f{n}/{host}", resource, at, 0.0 if event else lasts, event=event)
            )
    ends = max(effect.at + effect.lasts for effect in effects) + chance.uniform(0.2, 1.5)
    return Plan(
        "simulated", "simulated", "", number, "", "", "simulated", tuple(effects), (), (), None,
        WARMUP_S, ends, 0.0, 600.0,
    )  # fmt: skip


def _link(host: str, chance: random.Random) -> Link:
    return _PREPARED if chance.random() < 0.1 else Link(host, "", "", "")


def _effect(
    id: str, resource: Resource, at: float, lasts: float, *, event: bool = False,
    prepare: bool = False,
) -> PlannedEffect:  # fmt: skip
    does = Kill() if event else LinkProfile(peers=PEERS)
    name = id.partition("/")[0]
    return PlannedEffect(
        id, name, "simulated", resource.target, resource, does, event, at, lasts, "simulated", "",
        prepare, follows=not event and isinstance(resource, Link),
    )  # fmt: skip
