"""Taking back from the journal what a dead run left: reverts are data, and may be repeated.

A local world needs nothing: it ends with its supervisor, which ends with the harness. Here that is
looked at, not believed; what is left of a loopback world is ended. What lives outside a world
(attached processes) is made as its snapshot says by a fresh agent.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.agent.effects import Resource, Snapshot, decode
from harness.capabilities import Hands, HandsError
from harness.errors import NotReady, Refused, UsageError
from harness.experiment.system_model import Cluster
from harness.record.actor import actor, wall_time
from harness.record.directory import RunDirectory
from harness.record.joined import with_joined
from harness.record.journal import Journal, Step, chain_of, is_held, salvaged
from harness.record.plan import Plan, PlannedEffect
from harness.run import state
from harness.substrates.loopback.remains import end as end_of_loopback
from harness.substrates.registry import WORLDS

LEASE_S = 30.0
#: How long the end of a dead run's world is waited for: its supervisor ends with its harness.
WORLD_ENDS_S = 5.0
_BEGUN = ("injecting", "acting")
_OVER = ("gone", "target_gone", "recovered")
_CLOSED = ("world.closed", "run.ended")

log = logging.getLogger(__name__)


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
    running: bool = False


def still_open(directory: RunDirectory) -> tuple[Open, ...]:
    """Receipts of the run that are not closed, the latest first."""
    steps = salvaged(chain_of(directory.journal))
    begun = any(step.step in _BEGUN for step in steps)
    return open_in(steps, directory.plan()) if begun else ()


def open_in(steps: tuple[Step, ...], plan: Plan) -> tuple[Open, ...]:
    """What may be in force after these steps, whatever came of the last of them."""
    plan = with_joined(plan, steps)
    begun: dict[str, tuple[Step, Step]] = {}
    receipts: dict[Resource, Step] = {}  # one covers a resource, and every effect on it
    for step in steps:
        if step.step == "receipt":
            receipts[plan.effect(step.effect).resource] = step
        elif step.step in _BEGUN:
            receipt = receipts.get(plan.effect(step.effect).resource)
            if receipt:  # without one nothing was made
                begun[step.effect] = (step, receipt)
        elif step.step in _OVER:
            begun.pop(step.effect, None)
    return tuple(_open(plan.effect(id), *begun[id]) for id in reversed(begun))


def _open(planned: PlannedEffect, begun: Step, receipt: Step) -> Open:
    ends = 0 if planned.prepare else begun.at + round(planned.lasts * 1e9)
    snapshot: Snapshot = decode(receipt.data["snapshot"])
    return Open(planned.id, receipt.data["receipt"], planned.resource, snapshot, ends)


def recover_run(directory: RunDirectory, alive: bool) -> Recovery:
    """Take back everything that is open. Never touches a run whose harness is still there."""
    run_id = directory.path.name
    try:
        return _recover(directory, run_id, alive or is_held(directory.journal))
    except OSError as error:
        left = f"{directory.path}: {error.strerror or error}"
        return Recovery(run_id, "cannot be read or written: recover it as its owner", left=(left,))
    except (KeyError, ValueError, TypeError, StopIteration):
        left = f"{directory.journal}: its lines make no sense (harness audit {run_id})"
        return Recovery(run_id, "its journal is damaged", left=(left,))


def _recover(directory: RunDirectory, run_id: str, alive: bool) -> Recovery:
    if not (directory.path / "plan.json").exists():
        return Recovery(run_id, "has no plan: nothing was ever done")
    if alive:
        return Recovery(run_id, "is running: `harness halt` or Ctrl-C ends it", running=True)
    if stays := end_of_loopback(directory.path):
        return Recovery(run_id, "its processes do not end", left=stays)
    try:
        found = still_open(directory)
    except UsageError as error:
        return _unreadable(directory, run_id, error)
    try:
        ended = _ended_there(directory, run_id, empty=not found)
        if not found:
            says = "its load was ended" if ended else "nothing was left behind"
            return Recovery(run_id, says, ended)
        if directory.plan().substrate in WORLDS:
            return _world_is_gone(directory, run_id, found)
        done = _make_as_before(directory, run_id, found)
        return replace(done, taken_back=(*ended, *done.taken_back))
    except (NotReady, Refused) as error:
        left = tuple(f"{o.effect}: {error.message}" for o in found)
        left = left or (f"its load in pods: {error.message}",)
        return Recovery(run_id, "nobody could be asked to take it back", left=left)


def _ended_there(directory: RunDirectory, run_id: str, empty: bool) -> tuple[str, ...]:
    """What a run that did not see its world closed has on a cluster beside its faults: load in
    pods; where it holds nothing (`empty`), Leases."""
    plan, steps = directory.plan(), salvaged(chain_of(directory.journal))
    if plan.place is None or any(step.step in _CLOSED for step in steps):
        return ()
    from harness.substrates.kubernetes.recovering import end_load_of, free

    away = plan.load is not None and plan.load.origin != "here"
    ended = end_load_of(plan.place, run_id) if away else ()
    if empty:
        free(plan.place, run_id)
    with closing(Journal(directory.journal)) as journal:
        journal.append("world.closed", by="harness recover", who=actor(), when=wall_time())
    return ended


def recover_cluster(cluster: Cluster) -> tuple[Recovery, ...]:
    """What runs of any machine left there, by their Leases. Raises `NotReady`, `Refused`."""
    from harness.substrates.kubernetes.remains import take_back

    return tuple(
        Recovery(
            found.run_id, _says_of(found.target, found.held_s), found.taken_back,
            (found.left,) if found.left else (), bool(found.held_s),
        )
        for found in take_back(cluster)
    )  # fmt: skip


def _says_of(target: str, held_s: float) -> str:
    return f"holds {target} for {held_s:.0f} s yet" if held_s else f"held {target}"


def clear(keys: tuple[str, ...]) -> None:
    """Take back what dead runs left on these resources, or refuse: a snapshot of what a fault left
    would make it the normal state."""
    for entry in state.entries():
        if entry.alive or entry.substrate in WORLDS:
            continue  # what was in a world ended with it, and no other run could name it
        directory = RunDirectory(Path(entry.directory))
        if not _touches(directory, entry.run_id, keys):
            continue
        if left := recover_run(directory, alive=False).left:
            raise Refused(
                f"run {entry.run_id} left something on what this run would change: {left[0]}",
                hint=f"harness recover {entry.run_id}",
            )


def _touches(directory: RunDirectory, run_id: str, keys: tuple[str, ...]) -> bool:
    """Whether it may hold one of these. What cannot be read, of another version or another user, is
    told and stops no other target."""
    try:
        found = still_open(directory)
    except UsageError as error:
        named = [target for target in _named_in(directory) if any(target in key for key in keys)]
        if not named:
            log.warning("%s is passed over: %s", directory.path, error.message)
        return bool(named)
    except OSError as error:
        log.warning("%s is passed over: %s", directory.path, error.strerror or error)
        return False
    return any(state.key(o.resource, run_id) in keys for o in found)


def _named_in(directory: RunDirectory) -> tuple[str, ...]:
    """The targets of a plan of another version, as far as it has any that can be told."""
    with suppress(ValueError, TypeError, KeyError):
        plan = json.loads((directory.path / "plan.json").read_text())
        return tuple(str(effect["resource"]["target"]) for effect in plan["effects"])
    return ()


def _unreadable(directory: RunDirectory, run_id: str, error: UsageError) -> Recovery:
    """Another version's run: only what lived in a world is known to have ended."""
    text = (directory.path / "plan.json").read_text()
    in_world = any(f'"substrate": "{name}"' in text for name in WORLDS)
    left = () if in_world else (f"{error.message} ({error.hint})",)
    return Recovery(run_id, "its plan is of another version", left=left)


def _world_is_gone(directory: RunDirectory, run_id: str, found: tuple[Open, ...]) -> Recovery:
    from harness.substrates.local.channel import worlds

    names = (s.data.get("world", "") for s in directory.steps() if s.step == "world.ready")
    world = next(names, "")
    until = time.monotonic() + WORLD_ENDS_S
    while world in worlds() and time.monotonic() < until:
        time.sleep(0.1)
    if world in worlds():
        left = (f"the world {world} is still up: end the process that `ss -xlp` shows for it",)
        return Recovery(run_id, "its world has not ended", left=left)
    _note(directory, found)
    ended = tuple(f"{o.effect} (ended with its world)" for o in found)
    return Recovery(run_id, "its world is gone, and every fault with it", ended)


def _make_as_before(directory: RunDirectory, run_id: str, found: tuple[Open, ...]) -> Recovery:
    done: list[Open] = []
    left: list[str] = []
    with _hands(directory, tuple(o.resource for o in found)) as hands:
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


def _hands(
    directory: RunDirectory, resources: tuple[Resource, ...]
) -> AbstractContextManager[Hands]:
    """A fresh agent beside each target. Raises `NotReady`, `Refused` where none can be had."""
    place = directory.plan().place
    if place is None:
        from harness.substrates.attached import agents_here

        return agents_here(directory.path, LEASE_S)
    from harness.substrates.kubernetes.recovering import hands_on

    return hands_on(place, directory.path, resources, LEASE_S)


def _note(directory: RunDirectory, found: tuple[Open, ...]) -> None:
    journal = Journal(directory.journal)
    for open_ in found:
        journal.append("recovered", open_.effect, who=actor(), when=wall_time())
    journal.close()
