"""The moment in which everything dies, nets included: what recover makes of the journal alone."""

from __future__ import annotations

from dataclasses import replace

from harness.agent.effects import encode
from harness.record.journal import Step, chain_in, encoded
from harness.record.plan import Plan
from harness.run import lifecycle as go
from harness.run.recover import Open, open_in
from harness.simulation.invariants import hold
from harness.simulation.substrate import PRISTINE, Substrate

_ENDED = frozenset({"gone", "target_gone", "recovered"})


def crash(
    plan: Plan, journal: tuple[Step, ...], substrate: Substrate, under_way: list[go.Command]
) -> None:
    """Some of what was under way is still carried out; then only disk and targets are left."""
    chance = substrate.chance
    for command in under_way:
        if isinstance(command, go.Make) and chance.random() < 0.5 and not substrate.lost:
            substrate.carry_out(command)
    substrate.arrive_late()
    if chance.random() < 0.1:
        journal = _torn(journal, chance.random())
    found = open_in(journal, plan)
    _nothing_invented(journal, found)
    # Recovery may die as well, and is then begun again.
    done = found[: chance.randint(0, len(found))]
    _recover(substrate, done)
    noted = tuple(Step(len(journal), 0, "recovered", open_.effect) for open_ in done)
    _recover(substrate, open_in((*journal, *noted), plan))
    for resource, ids in substrate.in_force.items():
        hold(not ids, "after a crash recover takes everything back", f"{ids} on {resource.target}")


def _recover(substrate: Substrate, found: tuple[Open, ...]) -> None:
    for open_ in found:
        hold(open_.snapshot == PRISTINE, "recover makes what was before any fault", open_.effect)
        if open_.resource not in substrate.gone:
            substrate.take_back(open_.resource, open_.snapshot)


def _nothing_invented(journal: tuple[Step, ...], found: tuple[Open, ...]) -> None:
    begun = {step.effect for step in journal if step.step in ("injecting", "acting")}
    ended = {step.effect for step in journal if step.step in _ENDED}
    for open_ in found:
        hold(open_.effect in begun - ended, "recover invents nothing", open_.effect)


def _torn(journal: tuple[Step, ...], share: float) -> tuple[Step, ...]:
    """As read from a disk on which one more line had begun."""
    journal = tuple(replace(step, data=encode(step.data)) for step in journal)
    whole = encoded(journal)
    more = encoded((*journal, Step(len(journal), 0, "injecting", "never/made")))[len(whole) :]
    read = chain_in(whole + more[: int(share * len(more))]).steps
    hold(len(read) == len(journal), "a torn line is no step", f"{len(read)}, not {len(journal)}")
    return read
