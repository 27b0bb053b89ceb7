"""How a running experiment looks on a terminal: one screen part that stays in place.

during slow-db  ━━━━━━━━━━━━━━━━━╺━━━━━━━━━━━━  12 of 33 s, 21 s left
rate  199/s of 200/s asked
good  99.87 %   ████████████████▇▆██
P99   243 ms    ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▅▇▇▆▇▇
✓ p99(pay) < 900ms during slow-db   243 ms
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.measure.speaking import Spoken
from harness.record.plan import Plan
from harness.report import words
from harness.report.update import Update

#: So many of the last values stand in a sparkline.
KEPT = 32
_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_LINES = 6


def drawn(plan: Plan, phase: str, update: Update, before: Sequence[Update]) -> Group:
    """The latest update, after those `before` it."""
    updates = [*before, update][-KEPT:]
    return Group(_head(plan, phase, update), _numbers(update, updates), *_lines(update.lines))


def sparkline(values: Iterable[float | None], low: float, high: float) -> str:
    """A block for each value; `×` where there is none, or no number as high."""
    return "".join(_block(value, low, high) for value in values)


def _block(value: float | None, low: float, high: float) -> str:
    if value is None or not math.isfinite(value):
        return "×"
    share = (value - low) / (high - low) if high > low else 0.0
    return _BLOCKS[max(0, min(len(_BLOCKS) - 1, int(share * len(_BLOCKS))))]


def clock(plan: Plan, update: Update) -> str:
    return f"{update.now_s:.0f} of {plan.duration:.0f} s"


def _head(plan: Plan, phase: str, update: Update) -> Table:
    total = plan.warmup + plan.duration
    done = min(total, max(0.0, update.now_s + plan.warmup))
    left = max(0.0, plan.duration - update.now_s)
    row = Table.grid(padding=(0, 2))
    row.add_row(
        Text(words.one_line(phase), style="yellow" if update.faults else "bold"),
        ProgressBar(total=total, completed=done, width=30),
        Text(f"{clock(plan, update)}, {left:.0f} s left"),
    )
    return row


def _numbers(update: Update, updates: Sequence[Update]) -> Table:
    asked = words.quantity(update.asked, "/s")
    finite = [u.p99_ms for u in updates if u.p99_ms is not None and math.isfinite(u.p99_ms)]
    rows = (
        ("rate", words.quantity(update.reached, "/s"), f"of {asked} asked"),
        ("good", words.quantity(update.availability, "share"),
         sparkline((u.availability for u in updates), 0.0, 1.0)),
        ("P99", words.milliseconds(update.p99_ms),
         sparkline((u.p99_ms for u in updates), 0.0, max(finite, default=0.0) * 1.001)),
    )  # fmt: skip
    table = Table.grid(padding=(0, 2))
    for name, value, beside in rows:
        table.add_row(Text(name, style="dim"), Text(value), Text(beside, style="dim"))
    return table


def _lines(lines: Sequence[Spoken]) -> list[Text]:
    """Those that do not hold come first, since not all may find room."""
    urgent = sorted(lines, key=lambda line: line.holds)[:_MOST_LINES]
    return [_line(line) for line in urgent]


def _line(line: Spoken) -> Text:
    sign, style = ("✓", "green") if line.holds else ("✗", "bold red")
    text = Text(f"{sign} ", style=style)
    text.append(words.one_line(line.text), style="" if line.holds else "bold red")
    return text.append(f"   {words.quantity(line.value, line.unit)}", style="dim")
