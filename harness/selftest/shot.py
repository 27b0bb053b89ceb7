"""One run, one step, one victim: what became of the fault, and what was left.

What counts is seen from outside the run: its processes and namespaces, stopped processes, what
its system leaves by its mark, temporary files. The journal only says who took back, and whether
something was injected that must not be.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError
from harness.selftest.ground import Ground
from harness.selftest.judge import judged, went_on
from harness.selftest.range import Range
from harness.selftest.results import Cell, Shot
from harness.selftest.steps import ORDER

_MARGIN_S = 1.0
#: A rehearsal is held at every step: its lease is so many times as long.
_REHEARSED = 10.0


@contextlib.contextmanager
def shooting_range(
    ground: Ground, cell: Cell, home: Path, lengthened: float = 1.0
) -> Iterator[Range]:
    """A run of the cell's fault that has begun; whatever is left of it is killed at the end, and
    taken back where nobody was struck, and so nobody has looked."""
    with ground.place(cell, home) as place:
        watched = Range(place, lengthened * ground.lease_s)
        try:
            yield watched
        finally:
            watched.end()
            with contextlib.suppress(HarnessError):
                watched.recover()


def rehearse(ground: Ground, cell: Cell, home: Path) -> Shot:
    """The same without a victim: its steps in their order, and who lives at each. `hit` says that
    the fault was witnessed and the run came to its end."""
    seen: dict[str, tuple[str, ...]] = {}
    with shooting_range(ground, cell, home, _REHEARSED) as run:
        begin = time.monotonic()
        while step := run.until([name for name in ORDER if name not in seen]):
            run.family.look()
            there = run.place.victims.values()
            seen[step] = tuple(v.name for v in there if v.choose(run.family, run.harness))
            run.steps.go_on()
        run.watch(run.place.over_s)
        good = went_on(run) and any(step.step == "witnessed" for step in run.journal)
        return judged(run, Shot(cell, hit=good, seen=tuple(seen.items())), begin)


def shoot(ground: Ground, cell: Cell, home: Path) -> Shot:
    with shooting_range(ground, cell, home) as run:
        known = cell.victim in run.place.victims  # not where a report of another ground is resumed
        if not known or not run.until((cell.step,)):
            return Shot(cell)
        if cell.delay_s:
            run.steps.go_on()
            run.steps.serve(cell.delay_s)
        return _struck(run, cell)


def _struck(run: Range, cell: Cell) -> Shot:
    victim = run.place.victims[cell.victim]
    run.family.look()
    on = run.was_on = bool(run.steps.in_force or run.place.traces(anew=True))
    begin = time.monotonic()
    hit = victim.strike(run.family, run.harness)
    run.steps.go_on()
    if not hit:
        return Shot(cell)
    if victim.stays:
        run.watch(run.lease_s + _MARGIN_S)
        victim.relieve(run.family, run.harness)
        run.family.frozen.clear()
    run.watch(run.place.over_s)
    over = time.monotonic()
    gone_s = (run.clean_at or over) - (begin if on else _abort_at(run, begin))
    struck = Shot(
        cell, hit, effect_s=max(0.0, gone_s), over_s=over - begin, load=os.getloadavg()[0]
    )
    return judged(run, struck, begin)


def _abort_at(run: Range, begin: float) -> float:
    """When the run began to end: where nothing was on yet, it may have gone on for a while."""
    aborts = [step.at / 1e9 for step in run.journal if step.step == "abort"]
    return max([begin, *aborts[:1]])
