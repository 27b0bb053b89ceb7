"""What is still there after a shot, and who took the rest back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from harness.run.recover import Recovery
from harness.selftest.range import Range
from harness.selftest.results import Shot

NOTHING, HARNESS, RECOVER = "nothing on", "harness", "recover"
#: Not all deaths end a run: a mechanism's, or a pause of the harness before it holds a lease.
WENT_ON = "run went on"


def judged(run: Range, shot: Shot, begin: float) -> Shot:
    """The shot, judged. `harness recover` is called in any case: where nobody else could take back,
    it must, and elsewhere it must find nothing."""
    run.family.look()
    stayed, asked = run.traces(anew=True), time.monotonic()
    by = WENT_ON if went_on(run) else _by(run, begin)
    recovery = run.recover()
    if stayed and not run.traces(anew=True):
        by = RECOVER
        shot = replace(shot, effect_s=time.monotonic() - asked)
    left = [*_left(run), *(recovery.left if recovery else ())]
    wrong = [*_wrong(run), *_unaccounted(run, recovery)]
    return replace(shot, by=by, left=tuple(left), wrong=tuple(wrong))


def went_on(run: Range) -> bool:
    """To its own end, as if nothing had been."""
    steps = {step.step for step in run.journal}
    return "run.ended" in steps and "abort" not in steps


def _by(run: Range, begin: float) -> str:
    """The first who said, after the strike, that it had taken something back."""
    told = [(t.at, t.raw.split()[0]) for t in run.steps.told if " took back " in t.raw]
    told += [(s.at / 1e9, HARNESS) for s in run.journal if s.step == "reverted"]
    after = [(at, who) for at, who in told if at >= begin]
    if after:
        return min(after)[1]
    return run.place.taken_by() if run.was_on else NOTHING


def _left(run: Range) -> Iterator[str]:
    """Everything of the run that is there, in words."""
    yield from (f"process {p.pid} {p.command}" for p in run.family.alive)
    yield from run.traces()
    yield from (f"namespace {name}" for name in sorted(run.family.namespaces_left()))
    yield from run.place.left(run.directory)
    yield from (f"{s.effect}: {s.data['what']}" for s in run.journal if s.step == "left_behind")


def _unaccounted(run: Range, recovery: Recovery | None) -> Iterator[str]:
    """A run that comes to its own end says of each fault what became of it."""
    if recovery and any(step.step == "run.ended" for step in run.journal):
        said = {step.effect for step in run.journal if step.step == "left_behind"}
        silent = [what for what in recovery.taken_back if what not in said]
        yield from (f"the run ended and said nothing of {what}" for what in silent)


def _wrong(run: Range) -> Iterator[str]:
    """What a run must never do, by its journal."""
    aborted = False
    for step in run.journal:
        aborted = aborted or step.step == "abort"
        if aborted and step.step in ("injecting", "acting"):
            yield f"{step.step} {step.effect} after an abort"
