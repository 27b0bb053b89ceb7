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
from harness.mechanisms.namespaces import die_with_parent
from harness.run.plan import make_plan
from harness.selftest.ground import Ground
from harness.selftest.results import Cell, Shot
from harness.selftest.shot import rehearse, shoot

_TRIES = 3

Take = Callable[[Ground, Cell, Path], Shot]


@dataclass(frozen=True)
class Campaign:
    """`home`: a directory for the runs, each removed unless something is wrong with it."""

    ground: Ground
    home: Path
    pool: ProcessPoolExecutor

    def rehearse(self, cells: Iterable[Cell]) -> Iterator[Shot]:
        return self._all(rehearse, cells)

    def shoot(self, cells: Iterable[Cell]) -> Iterator[Shot]:
        """As they are taken."""
        return self._all(shoot, cells)

    def _all(self, take: Take, cells: Iterable[Cell]) -> Iterator[Shot]:
        begun: list[Future[Shot]] = [
            self.pool.submit(_taken, take, self.ground, cell, self.home / f"{take.__name__}{n}")
            for n, cell in enumerate(cells)
        ]
        for done in as_completed(begun):
            yield done.result()


@contextmanager
def campaign(ground: Ground, home: Path, at_once: int) -> Iterator[Campaign]:
    pool = ProcessPoolExecutor(
        at_once, multiprocessing.get_context("fork"), initializer=_begin_worker
    )
    try:
        yield Campaign(ground, home, pool)
    finally:
        try:
            pool.shutdown(wait=True, cancel_futures=True)
        except KeyboardInterrupt:  # asked twice: what was begun ends with its worker
            for worker in multiprocessing.active_children():
                worker.kill()


def _begin_worker() -> None:
    """Signals are our parent's business: it lets shots that were begun come to their end."""
    die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _taken(take: Take, ground: Ground, cell: Cell, home: Path) -> Shot:
    """A step that was not reached, by a machine that was too busy, is tried again."""
    for attempt in range(_TRIES):
        directory = home / str(attempt)
        try:
            shot = take(ground, cell, directory)
        except HarnessError as error:  # its ground is not as it was
            shot = Shot(cell, wrong=(error.message,))
        if not shot.bad:
            shutil.rmtree(directory)
        if shot.hit:
            break
    return shot


def offered(kinds: Iterable[str], ground: Ground, home: Path) -> Iterator[tuple[Cell, str]]:
    """Each fault on each substrate, and why it is not offered there, or nothing."""
    for n, (kind, name) in enumerate(itertools.product(kinds, ground.substrates)):
        cell = Cell(name, kind, "", "")
        yield cell, ground.why_not(cell) or _refused(cell, ground, home / f"offered{n}")


def _refused(cell: Cell, ground: Ground, home: Path) -> str:
    """What the plan of an example says against it."""
    with ground.place(cell, home) as place:
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
