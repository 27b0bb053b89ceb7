"""Many shots at once, each in a small world of its own.

Workers are forked before any thread is started, and each worker's own main thread starts its runs:
those end with it, and it ends with us.
"""

from __future__ import annotations

import itertools
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, Refused
from harness.faults import registry
from harness.mechanisms.namespaces import die_with_parent
from harness.run.plan import make_plan
from harness.selftest import plain
from harness.selftest.results import Cell, Shot
from harness.selftest.scratch import scratch
from harness.selftest.shot import rehearse, shoot
from harness.substrates.registry import world_substrate

_TRIES = 3

Take = Callable[[Cell, Path, float], Shot]


@dataclass(frozen=True)
class Campaign:
    """`home`: a directory for the runs, each removed unless something is wrong with it."""

    home: Path
    lease_s: float
    pool: ProcessPoolExecutor

    def rehearse(self, cells: Iterable[Cell]) -> Iterator[Shot]:
        return self._all(rehearse, cells)

    def shoot(self, cells: Iterable[Cell]) -> Iterator[Shot]:
        """As they are taken."""
        return self._all(shoot, cells)

    def _all(self, take: Take, cells: Iterable[Cell]) -> Iterator[Shot]:
        begun: list[Future[Shot]] = [
            self.pool.submit(_taken, take, cell, self.home / f"{take.__name__}{n}", self.lease_s)
            for n, cell in enumerate(cells)
        ]
        for done in as_completed(begun):
            yield done.result()


@contextmanager
def campaign(home: Path, lease_s: float, at_once: int) -> Iterator[Campaign]:
    pool = ProcessPoolExecutor(
        at_once, multiprocessing.get_context("fork"), initializer=_begin_worker
    )
    try:
        yield Campaign(home, lease_s, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    """Signals are our parent's business: it lets shots that were begun come to their end."""
    die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _taken(take: Take, cell: Cell, home: Path, lease_s: float) -> Shot:
    """A step that was not reached, by a machine that was too busy, is tried again."""
    for attempt in range(_TRIES):
        directory = home / str(attempt)
        shot = take(cell, directory, lease_s)
        if not shot.bad:
            shutil.rmtree(directory)
        if shot.hit:
            break
    return shot


def places() -> tuple[str, ...]:
    """Where faults are tried here: `loopback` stands in where there are no namespaces."""
    return world_substrate().name, "attached", "plain"


def offered(
    kinds: Iterable[str], home: Path, substrates: Iterable[str]
) -> Iterator[tuple[Cell, str]]:
    """Each fault on each substrate, and why it is not offered there, or nothing."""
    for n, (kind, name) in enumerate(itertools.product(kinds, substrates)):
        cell = Cell(name, kind, "", "")
        yield cell, _why_not(cell, home / f"offered{n}")


def _why_not(cell: Cell, home: Path) -> str:
    fault = registry.find(cell.fault)
    assert fault, "chosen from the registry"
    if cell.substrate == "plain" and (why := plain.why_not()):
        return why
    if cell.substrate not in places() and not fault.on_edges:
        return "a Toxiproxy disturbs calls alone"
    with scratch(home, cell.substrate, fault) as place:
        try:
            experiment = place.experiment()
            make_plan(experiment, place.substrate(experiment.system), 1, "offered")
        except Refused as error:
            return error.message
        except HarnessError as error:
            said = error.message.splitlines()[0].replace(f"{home}/", "")
            return f"no example of it can be made: {said}"
        finally:
            shutil.rmtree(home)
    return ""
