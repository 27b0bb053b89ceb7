"""A run that is shot at, from the outside."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection

from harness.record.directory import RunDirectory
from harness.record.journal import Step, read
from harness.run.recover import Recovery, recover_run
from harness.selftest import harness_process
from harness.selftest.family import Family
from harness.selftest.ground import Place
from harness.selftest.steps import Steps
from harness.selftest.victims import VICTIMS

_LOOK_S = 0.04


class Range:
    """One run that is shot at, and those who watch it."""

    def __init__(self, place: Place, lease_s: float) -> None:
        self.place = place
        self.lease_s = lease_s
        self.steps = Steps(place.socket)
        self.harness = harness_process.start(place, lease_s)
        self.family = Family(self.harness, place.target, place.beside)
        self.status: int | None = None
        self.was_on = False  # an effect, when somebody was struck
        self._recovery: Recovery | None = None
        self.clean_at: float | None = None  # the first look without a trace after the last with one

    @property
    def over(self) -> bool:
        """The harness has ended; waits for it, so that nothing of it remains."""
        if self.status is None:
            pid, status = os.waitpid(self.harness, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    @property
    def directory(self) -> RunDirectory | None:
        last = self.place.path / "reports" / "last"
        return RunDirectory(last.resolve()) if last.exists() else None

    @property
    def journal(self) -> tuple[Step, ...]:
        return read(self.directory.journal) if self.directory else ()

    def traces(self, *, anew: bool = False) -> list[str]:
        """What an effect shows of itself."""
        return [*self.family.traces(), *self.place.traces(anew=anew)]

    def until(self, steps: Collection[str]) -> str:
        """The first of these steps that somebody stands at, and is held there; empty at the end."""
        end = time.monotonic() + self.place.reached_s
        while not self.over and time.monotonic() < end:
            self.place.attend(self.steps)
            if self.steps.serve(_LOOK_S, steps):
                return self.steps.told[-1].name
        return ""

    def watch(self, within_s: float) -> None:
        """Until nobody of the run is left and its effect is gone, or for that long; the effect is
        not waited for beyond the patience of its place."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            over = self.over
            self.place.attend(self.steps)
            self.family.look()
            traces = self.traces()
            self.clean_at = None if traces else self.clean_at or time.monotonic()
            if over and not self.family.alive:
                end = min(end, time.monotonic() + self.place.patience_s)
                if not traces and not self.place.traces(anew=True):
                    break
            self.steps.serve(_LOOK_S)

    def recover(self) -> Recovery | None:
        """What `harness recover` says once nobody of the run is left; it is called once."""
        if self._recovery is None and self.directory:
            self._recovery = recover_run(self.directory, alive=False)
        return self._recovery

    def end(self) -> None:
        """Whatever is still there is killed: a broken promise must not stay on this machine."""
        self.family.look()
        VICTIMS["all"].strike(self.family, self.harness)
        VICTIMS["all"].relieve(self.family, self.harness)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.harness, 0)
        self.steps.close()
        self.family.close()
