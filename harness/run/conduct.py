"""One run from plan to closed world. What it came to is read from the run directory afterwards.

The order is the promise: directory, plan and journal are on disk before the world is started, the
world ends with this block whatever happens, and the last line of the journal says how it ended.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness.clock import Epoch
from harness.errors import HarnessError, Interrupted, Refused
from harness.experiment.model import Experiment
from harness.faults.fault import Fault
from harness.record.directory import Facts, RunDirectory
from harness.record.journal import Journal
from harness.record.plan import Plan
from harness.report.progress import Progress
from harness.run import state
from harness.run.engine import Engine
from harness.run.interpreter import Interpreter
from harness.run.perform import Performer, key
from harness.run.sampling import sampled
from harness.run.watch import Watcher
from harness.substrates.substrate import Substrate, World

LEASE_S = 5.0


def conduct(
    experiment: Experiment, plan: Plan, substrate: Substrate, reports: Path, progress: Progress
) -> RunDirectory:
    """Carry the plan out. Raises only what prevented a run directory from being made."""
    if why := state.halted():
        raise Refused(f"runs on this machine are halted: {why}", hint="harness resume")
    directory = _new_directory(reports, plan)
    directory.write_plan(plan)
    (directory.path / "experiment.yaml").write_text(experiment.text)
    directory.write_facts(_facts(Epoch.now()))
    journal = Journal(directory.journal)
    keys = tuple(key(e.resource, plan.run_id) for e in plan.effects)
    with _logging_to(directory.path), state.leased(keys, plan.run_id, plan.name, plan.max_duration):
        state.enter(plan.run_id, plan.name, directory.path, plan.substrate)
        journal.append("run.started", id=plan.run_id, name=plan.name, seed=plan.seed)
        try:
            _in_world(experiment, plan, substrate, directory, journal, progress)
        except (HarnessError, KeyboardInterrupt) as error:
            _note_end(journal, error)
        journal.append("run.ended")
    journal.close()
    return directory


def _in_world(
    experiment: Experiment, plan: Plan, substrate: Substrate, directory: RunDirectory,
    journal: Journal, progress: Progress,
) -> None:  # fmt: skip
    progress.phase("starting the system")
    load = experiment.load
    users = (load.users.parent,) if load and load.users else ()
    opened = substrate.open(experiment.system, directory.path, LEASE_S, users)
    with _interruptible(), opened as world:
        journal.append("world.ready", world=world.name)
        with sampled(world, substrate, experiment.system, directory.path):
            _run(experiment, plan, world, directory, journal, progress)
    journal.append("world.closed")


def _run(
    experiment: Experiment, plan: Plan, world: World, directory: RunDirectory,
    journal: Journal, progress: Progress,
) -> None:  # fmt: skip
    engine = Engine(plan)
    hosts = tuple(service.name for service in experiment.system.services)
    watcher = Watcher(plan, directory, world, progress, hosts, _epoch_noted(directory, journal))
    faults: dict[str, Fault] = {i.id: i.fault for i in experiment.timeline}
    performer = Performer(plan, faults, world.hands, watcher.epoch, lambda: engine.in_force)
    Interpreter(plan, engine, performer, world.hands, journal, watcher, world.troubles).run()
    journal.append("load.ended", **watcher.ended())


def _epoch_noted(directory: RunDirectory, journal: Journal) -> Callable[[Epoch], None]:
    def note(epoch: Epoch) -> None:
        directory.write_facts(_facts(epoch))
        journal.append("load.started", epoch_ns=epoch.mono_ns)

    return note


def _note_end(journal: Journal, error: BaseException) -> None:
    if isinstance(error, (KeyboardInterrupt, Interrupted)):
        journal.append("abort", reason="interrupted before the system was up", by="person")
    else:
        journal.append("abort", reason=str(error), by="world")


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
    """`20261124-093012-NAME-3f2a`: sorts by time, says what it was."""
    stamp = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{name}-{os.urandom(2).hex()}"


def _facts(epoch: Epoch) -> Facts:
    names = ("reliability-harness", "locust", "numpy", "scipy", "pydantic")
    return Facts(
        epoch=epoch,
        started=datetime.now(tz=UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), **{n: version(n) for n in names}},
        machine={"system": platform.system(), "kernel": platform.release(),
                 "cores": str(os.cpu_count())},
    )  # fmt: skip


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path / "log.jsonl")
    handler.setFormatter(
        logging.Formatter(
            '{"at":"%(asctime)s","level":"%(levelname)s","from":"%(name)s","says":"%(message)s"}'
        )
    )
    root = logging.getLogger("harness")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Until the interpreter listens to signals itself, SIGTERM and SIGHUP end like Ctrl-C."""
    import signal

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {s: signal.signal(s, interrupt) for s in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
