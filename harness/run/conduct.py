"""One run from plan to closed world. What it came to is read from the run directory afterwards.

The order is the promise: directory, plan and journal are on disk before the world is started, the
world ends with this block whatever happens, and the last line of the journal says how it ended.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness import __version__
from harness.agent.stepping import step as standing_at
from harness.clock import Epoch
from harness.errors import (
    Halted,
    HarnessError,
    Interrupted,
    InvalidRun,
    LeftBehind,
    Refused,
)
from harness.experiment.model import Experiment
from harness.faults.fault import Fault
from harness.record.actor import actor
from harness.record.directory import Facts, RunDirectory
from harness.record.journal import Journal
from harness.record.log import logging_to
from harness.record.plan import Plan
from harness.report.progress import Progress
from harness.run import state
from harness.run.choosing import chosen
from harness.run.disk import full, is_of_the_disk, not_begun, not_on_disk, unwritten
from harness.run.engine import Engine
from harness.run.interpreter import Interpreter
from harness.run.perform import Performer
from harness.run.radius import Recheck
from harness.run.recover import clear
from harness.run.sampling import sampled
from harness.run.signals import Signals
from harness.run.turns import turn
from harness.run.watch import Watcher
from harness.substrates.substrate import Needs, Substrate, World

LEASE_S = 5.0
#: A lease is renewed three times in its life.
RENEWED = 0.3
#: What the run's own report tells.
_TOLD = (InvalidRun, LeftBehind, Halted, KeyboardInterrupt)


def conduct(
    experiment: Experiment, plan: Plan, substrate: Substrate, reports: Path, progress: Progress,
    lease_s: float = LEASE_S,
) -> RunDirectory:  # fmt: skip
    """Carry the plan out. Raises what no report can tell: a refusal, a disk that takes nothing."""
    if why := state.halted():
        raise Refused(f"runs on this machine are halted: {why}", hint="harness resume")
    keys = tuple(state.key(e.resource, plan.run_id) for e in plan.effects)
    with state.leased(keys, plan.run_id, plan.name, plan.max_duration):
        clear(keys)
        try:
            directory = _begin(experiment, plan, reports)
        except OSError as error:
            raise not_begun(error) from error
        with logging_to(directory.path / "log.jsonl", experiment.secrets):
            _to_its_end(experiment, plan, substrate, directory, progress, lease_s)
    return directory


def _begin(experiment: Experiment, plan: Plan, reports: Path) -> RunDirectory:
    """All that recover needs, before there is anything to recover."""
    directory = _new_directory(reports, plan)
    directory.write_plan(plan, experiment.secrets)
    (directory.path / "experiment.yaml").write_text(experiment.text)
    directory.write_facts(_facts(Epoch.now()))
    state.enter(plan.run_id, plan.name, directory.path, plan.substrate)
    return directory


def _to_its_end(
    experiment: Experiment, plan: Plan, substrate: Substrate, directory: RunDirectory,
    progress: Progress, lease_s: float,
) -> None:  # fmt: skip
    """The run, and its last lines in the journal whatever happens."""
    with closing(Journal(directory.journal, experiment.secrets)) as journal, Signals().heard() as s:
        try:
            journal.append(
                "run.started", id=plan.run_id, name=plan.name, seed=plan.seed, who=actor(),
                plan_sha256=directory.plan_sum(),
            )  # fmt: skip
            _in_world(experiment, plan, substrate, directory, journal, progress, s, lease_s)
            journal.append("run.ended")
        except BaseException as error:
            written = _note_end(journal, error)
            if not written or not isinstance(error, _TOLD):
                raise unwritten(error) from error


def _in_world(
    experiment: Experiment, plan: Plan, substrate: Substrate, directory: RunDirectory,
    journal: Journal, progress: Progress, signals: Signals, lease_s: float,
) -> None:  # fmt: skip
    load = experiment.load
    users = (load.users.parent,) if load and load.users else ()
    with ExitStack() as up:
        with turn(progress.phase):
            progress.phase("starting the system")
            world = up.enter_context(
                substrate.open(experiment.system, directory.path, lease_s, users, _needs(plan))
            )
        at = world.url(plan.load.url) if plan.load else ""
        mechanisms = chosen(plan, world.hands)
        journal.append("world.ready", world=world.name, load=at, mechanisms=mechanisms)
        with sampled(world, substrate, experiment.system, directory.path):
            recheck = Recheck(experiment, plan, substrate)
            _run(experiment, plan, world, directory, journal, progress, signals, lease_s, recheck)
            standing_at("world closing")
    journal.append("world.closed")


def _needs(plan: Plan) -> Needs:
    resources = tuple(dict.fromkeys(effect.resource for effect in plan.effects))
    load = plan.load
    away = load.workers if load and load.origin == "cluster" else 0
    longest = max((effect.lasts for effect in plan.effects), default=0.0)
    return Needs(
        plan.run_id, plan.warmup + plan.duration, resources, away, load.url if load else "", longest
    )


def _run(
    experiment: Experiment, plan: Plan, world: World, directory: RunDirectory,
    journal: Journal, progress: Progress, signals: Signals, lease_s: float, recheck: Recheck,
) -> None:  # fmt: skip
    engine = Engine(plan)
    hosts = tuple(service.name for service in experiment.system.services)
    watcher = Watcher(plan, directory, world, progress, hosts, _epoch_noted(directory, journal))
    faults: dict[str, Fault] = {i.id: i.fault for i in experiment.timeline}
    performer = Performer(
        lambda: engine.effects, faults, world.hands, watcher.epoch, lambda: engine.in_force
    )
    loop = Interpreter(
        plan, engine, performer, world, journal, watcher, lambda: full(directory.path),
        RENEWED * lease_s, recheck,
    )  # fmt: skip
    signals.listener = loop.end
    loop.run()
    if loop.unwritten:
        raise not_on_disk(engine, loop.unwritten)
    journal.append("load.ended", **watcher.ended())


def _epoch_noted(directory: RunDirectory, journal: Journal) -> Callable[[Epoch], None]:
    def note(epoch: Epoch) -> None:
        directory.write_facts(_facts(epoch))
        journal.append("load.started", epoch_ns=epoch.mono_ns)

    return note


def _note_end(journal: Journal, error: BaseException) -> bool:
    """Whether the journal took it."""
    by = "world" if isinstance(error, HarnessError) else "internal"
    by = "disk" if isinstance(error, Interrupted) or is_of_the_disk(error) else by
    hint = error.hint if isinstance(error, HarnessError) else ""
    reason = str(error) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        by, reason = "person", "interrupted before the system was up"
    if isinstance(error, Halted):
        by = "person"
    try:
        journal.append("abort", reason=reason, by=by, hint=hint)
        journal.append("run.ended")
    except OSError:
        return False
    return True


def _new_directory(reports: Path, plan: Plan) -> RunDirectory:
    path = reports / plan.run_id
    path.mkdir(mode=0o700, parents=True, exist_ok=False)
    (path / "services").mkdir()
    last = reports / "last"
    if last.is_symlink() or not last.exists():
        draft = reports / f".last.{plan.run_id}"
        draft.symlink_to(plan.run_id)
        draft.replace(last)
    return RunDirectory(path)


def run_id(name: str) -> str:
    """`20261124-093012-NAME-3f2a91c4`: sorts by time, says what it was."""
    stamp = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{name}-{os.urandom(4).hex()}"


def _facts(epoch: Epoch) -> Facts:
    return Facts(
        epoch=epoch,
        started=datetime.now(tz=UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), "reliability-harness": __version__,
                  **{name: version(name) for name in ("locust", "numpy", "scipy", "pydantic")}},
        machine={"system": platform.system(), "kernel": platform.release(),
                 "cores": str(os.cpu_count())},
    )  # fmt: skip
