"""Taking back from the journal what a dead run left: reverts are data, and may be repeated.

A local world needs nothing: it ends with its supervisor, which ends with the harness. Here that is
looked at, not believed. What lives outside a world (attached processes) is made as its snapshot
says by a fresh agent.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.agent.effects import Resource, Snapshot, decode
from harness.capabilities import HandsError
from harness.record.directory import RunDirectory
from harness.record.journal import Journal, Step
from harness.record.plan import Plan

LEASE_S = 30.0
_OVER = ("gone", "target_gone", "recovered")


@dataclass(frozen=True)
class Open:
    """An effect with a receipt that was not seen gone. `ends_ns` monotonic, 0 where unknown."""

    effect: str
    receipt: str
    resource: Resource
    snapshot: Snapshot
    ends_ns: int


@dataclass(frozen=True)
class Recovery:
    run_id: str
    says: str
    taken_back: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def still_open(directory: RunDirectory) -> tuple[Open, ...]:
    """Receipts of the run that are not closed, the latest first."""
    steps = directory.steps()
    receipts = {s.effect: s for s in steps if s.step == "receipt"}
    begun = {s.effect: s for s in steps if s.step in ("injecting", "acting")}
    over = {s.effect for s in steps if s.step in _OVER}
    held = [effect for effect in begun if effect not in over]
    plan = directory.plan()
    return tuple(
        _open(effect, _receipt_of(effect, receipts, plan), begun[effect], plan)
        for effect in reversed(held)
    )


def _receipt_of(effect: str, receipts: dict[str, Step], plan: Plan) -> Step:
    """A receipt covers a resource: an effect without one of its own came under another's."""
    if effect in receipts:
        return receipts[effect]
    resource = plan.effect(effect).resource
    return next(s for name, s in receipts.items() if plan.effect(name).resource == resource)


def _open(effect: str, receipt: Step, begun: Step, plan: Plan) -> Open:
    planned = plan.effect(effect)
    ends = 0 if planned.prepare else begun.at + round(planned.lasts * 1e9)
    data = receipt.data
    return Open(effect, data["receipt"], planned.resource, decode(data["snapshot"]), ends)


def recover_run(directory: RunDirectory, alive: bool) -> Recovery:
    """Take back everything that is open. Never touches a run whose harness is still there."""
    run_id = directory.path.name
    if not (directory.path / "plan.json").exists():
        return Recovery(run_id, "has no plan: nothing was ever done")
    if alive:
        return Recovery(run_id, "is running: `harness halt` or Ctrl-C ends it")
    found = still_open(directory)
    if not found:
        return Recovery(run_id, "nothing was left behind")
    if directory.plan().substrate == "local":
        return _world_is_gone(directory, run_id, found)
    return _make_as_before(directory, run_id, found)


def _world_is_gone(directory: RunDirectory, run_id: str, found: tuple[Open, ...]) -> Recovery:
    from harness.substrates.local.channel import worlds

    names = (s.data.get("world", "") for s in directory.steps() if s.step == "world.ready")
    world = next(names, "")
    if world in worlds():
        left = (f"the world {world} is still up: end the process that `ss -xlp` shows for it",)
        return Recovery(run_id, "its world has not ended", left=left)
    _note(directory, found)
    ended = tuple(f"{o.effect} (ended with its world)" for o in found)
    return Recovery(run_id, "its world is gone, and every fault with it", ended)


def _make_as_before(directory: RunDirectory, run_id: str, found: tuple[Open, ...]) -> Recovery:
    from harness.substrates.attached import agents_here

    done: list[Open] = []
    left: list[str] = []
    with agents_here(directory.path, LEASE_S) as hands:
        for generation, open_ in enumerate(found, start=1_000_000):
            try:
                hands.make(open_.resource, open_.receipt, generation, open_.snapshot, ())
                done.append(open_)
            except HandsError as error:
                if error.target_gone:
                    done.append(open_)
                else:
                    left.append(f"{open_.effect}: {error}")
    _note(directory, tuple(done))
    return Recovery(
        run_id, "taken back from its journal", tuple(o.effect for o in done), tuple(left)
    )


def _note(directory: RunDirectory, found: tuple[Open, ...]) -> None:
    journal = Journal(directory.journal)
    for open_ in found:
        journal.append("recovered", open_.effect)
    journal.close()
