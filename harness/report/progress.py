"""What a person sees on stderr while a run goes on.

On a terminal a few lines that stay in place (`live_view`); elsewhere (CI, a pipe, TERM=dumb) a line
when the phase changes and at most every 10 s. A thread of its own draws: a terminal that is held
(Ctrl-S) or a pipe that nobody reads must never stop the loop that renews the lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from harness.record.plan import Plan
from harness.report import words
from harness.report.live_view import KEPT, clock, drawn
from harness.report.update import Update

__all__ = ["Progress", "Update", "line_of", "phase_of"]

DRAW_S = 0.25
LINE_S = 10.0
#: A stream that takes nothing is given up after this; the thread is a daemon and dies with us.
END_S = 1.0


@dataclass(frozen=True)
class _View:
    """All that is drawn: `phase` as last named, or as the update tells, and updates before it."""

    phase: str
    update: Update | None = None
    before: tuple[Update, ...] = ()


class Progress:
    """Takes what is new and returns at once; the last news wins."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._view = _View("starting")
        self._over = threading.Event()

    @classmethod
    @contextmanager
    def on(cls, stream: TextIO, plan: Plan) -> Iterator[Progress]:
        """Draw on `stream` until the block ends."""
        progress = cls(plan)
        drawing = threading.Thread(target=progress._draw, args=(stream,), daemon=True)
        drawing.start()
        try:
            yield progress
        finally:
            progress._over.set()
            drawing.join(END_S)

    def phase(self, name: str) -> None:
        """A phase without load: starting the system, taking everything back."""
        self._view = _View(name)

    def update(self, update: Update) -> None:
        seen = (*self._view.before, *filter(None, [self._view.update]))[-KEPT:]
        self._view = _View(phase_of(self._plan, update), update, seen)

    def _draw(self, stream: TextIO) -> None:
        console = Console(file=stream, markup=False, highlight=False, emoji=False)
        try:
            if console.is_terminal and not console.is_dumb_terminal:
                self._live(console)
            else:
                self._lines(stream)
        except (OSError, ValueError):
            return  # nobody reads: the run goes on without an audience

    def _live(self, console: Console) -> None:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not self._over.wait(DRAW_S):
                live.update(_drawn(self._plan, self._view), refresh=True)

    def _lines(self, stream: TextIO) -> None:
        shown, at = "", 0.0
        over = False
        while not over:
            over = self._over.wait(DRAW_S)
            view = self._view
            if view.phase != shown or (view.update and time.monotonic() - at >= LINE_S):
                shown, at = view.phase, time.monotonic()
                stream.write(line_of(self._plan, view.phase, view.update) + "\n")
                stream.flush()


def phase_of(plan: Plan, update: Update) -> str:
    """Where in the timeline a moment lies, in words."""
    if update.faults:
        return f"during {', '.join(update.faults)}"
    if update.now_s < 0:
        return "warm-up"
    starts = [effect.at for effect in plan.effects if not effect.prepare]
    if starts and update.now_s < min(starts):
        return "baseline"
    return (
        "between faults"
        if starts and update.now_s < max(starts)
        else "settling"
        if starts
        else "measuring"
    )


def line_of(plan: Plan, phase: str, update: Update | None) -> str:
    """One plain line."""
    if update is None:
        return words.one_line(phase)
    return words.one_line(f"{clock(plan, update)}, {phase}: {_measured(update)}")


def _measured(update: Update) -> str:
    parts = [
        f"{words.quantity(update.reached, '/s')} of {words.quantity(update.asked, '/s')} asked",
        f"good {words.quantity(update.availability, 'share')}",
        f"P99 {words.milliseconds(update.p99_ms)}",
    ]
    missed = [line.text for line in update.lines if not line.holds]
    return ", ".join(parts) + (f"; not now: {', '.join(missed)}" if missed else "")


def _drawn(plan: Plan, view: _View) -> Group | Text:
    if view.update is None:
        return Text(words.one_line(view.phase) + " …")
    return drawn(plan, view.phase, view.update, view.before)
