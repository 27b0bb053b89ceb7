"""The report on a terminal, or in a CI log: 80 columns, verdict first, what to do last.

Plain without colour where nobody looks (rich heeds NO_COLOR, FORCE_COLOR and TERM=dumb). No text
of a user is read as markup or reaches the terminal with its control characters.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from harness.report import words
from harness.report.record import Effect, Record, Window

FILE = "report.txt"

WIDTH = 80

_STYLES = {
    "pass": "bold green",
    "fail": "bold red",
    "inconclusive": "bold yellow",
    "invalid": "bold magenta",
    "interrupted": "bold cyan",
    "dirty": "bold red",
    "error": "bold red",
    "explored": "bold",
}

#: A number and its unit stay together where a line is broken.
_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=(%|s|ms|µs)(?!\w))")
_TIE = "\N{NO-BREAK SPACE}"


def render(record: Record, out: TextIO) -> None:
    console = _Console(file=out, markup=False, highlight=False, emoji=False, soft_wrap=True)
    # Where nobody adapts to a width, 80; a wide terminal only makes lines hard to follow.
    console.width = min(console.width, 100) if console.is_terminal else WIDTH
    _verdict(console, record)
    _reasons(console, record)
    _objectives(console, record)
    _effects(console, record.effects)
    _findings(console, record)
    _cluster(console, record)
    _measured(console, record)
    _afterwards(console, record)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the process with 1, and that is the status of FAIL."""
        raise BrokenPipeError


def _verdict(console: Console, record: Record) -> None:
    verdict = words.verdict_of(record)
    symbol, word = words.SIGNS[verdict]
    _line(console, 0, f"{symbol} {word}", _STYLES[verdict], then=f"  {record.run.name}")
    _lines(console, 2, [record.run.hypothesis, words.headline(record)])
    run = record.run
    _facts(console, 2, (run.id, f"seed {run.seed}", words.seconds(run.duration_s), run.substrate))


def _reasons(console: Console, record: Record) -> None:
    if record.reasons:
        _head(console, "Why")
        _lines(console, 2, record.reasons)
    if record.warnings:
        _head(console, "Warnings")
        _lines(console, 2, record.warnings)


def _objectives(console: Console, record: Record) -> None:
    if not record.objectives:
        return
    decides = record.verdict not in ("invalid", "error")
    _head(console, "Objectives" if decides else "Objectives (this run decides none of them)")
    for objective in record.objectives:
        symbol, word = words.SIGNS[objective.verdict]
        warns = " (only warns)" if objective.severity == "warn" else ""
        style = _STYLES[objective.verdict] if decides else "dim"
        _line(console, 2, f"{symbol} {word}", style, then=f"  {objective.text}{warns}")
        _line(console, 6, objective.says)
        _facts(console, 6, words.objective_facts(objective))


def _effects(console: Console, effects: tuple[Effect, ...]) -> None:
    if effects:
        _head(console, "Faults")
    for effect in effects:
        by = f" by {effect.mechanism}" if effect.mechanism else ""
        what = f"{effect.fault} on {effect.target}{by}: {words.standing(effect)}"
        good = effect.confirmed and not effect.left_behind
        _line(console, 2, f"{effect.intervention}:", "bold" if good else "bold red", then=what)
        _lines(console, 6, [f"{line.field}: {words.seen(line)}" for line in effect.witnessed])
        _line(console, 6, words.exercised(effect))
        _line(console, 6, words.life(effect))
        _lines(console, 6, [f"left behind: {what}" for what in effect.left_behind], "bold red")


def _findings(console: Console, record: Record) -> None:
    if record.findings:
        _head(console, "Findings")
    for finding in record.findings:
        style = "bold red" if finding.grave else "bold"
        _line(console, 2, f"{finding.about}:", style, then=finding.says)


def _cluster(console: Console, record: Record) -> None:
    """How it came back, as its users saw it and as its controllers did."""
    views = [(r.intervention, words.both_views(r)) for r in record.recoveries]
    if any(told for _, told in views):
        _head(console, "Coming back")
    for intervention, told in views:
        for who, says in told:
            _line(console, 2, f"{intervention}, {who}:", then=says)


def _measured(console: Console, record: Record) -> None:
    if record.windows:
        _head(console, "Measured")
        for row in _columns([_HEADINGS, *map(_row, record.windows)]):
            console.print(Text(f"  {row}"))
    if record.load:
        _line(console, 2, f"load: {words.load_line(record.load)}")
    if record.crossing:
        _lines(console, 2, words.crossing_lines(record.crossing))


_HEADINGS = ("window", "seconds", "requests", "good", "P50", "P99")


def _row(window: Window) -> tuple[str, ...]:
    return (
        _cut(words.one_line(window.name), 24),
        f"{window.start_s:.1f}–{window.end_s:.1f}",
        f"{window.count:,}",
        words.quantity(window.availability, "share"),
        words.milliseconds(window.p50_ms),
        words.milliseconds(window.p99_ms),
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _columns(rows: list[tuple[str, ...]]) -> Iterable[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *cells])


def _afterwards(console: Console, record: Record) -> None:
    console.print()
    _whole(console, f"report  {record.run.directory}/report.html")
    _whole(console, f"again   {words.rerun(record)}   (seed {record.run.seed})")
    if record.by_hand:
        _head(console, "Run these by hand, as the same user:", "bold red")
        for command in record.by_hand:
            _whole(console, f"  {command}")


def _whole(console: Console, text: str) -> None:
    """Never broken: half a path or command cannot be copied."""
    console.print(Text(words.one_line(text)))


def _head(console: Console, title: str, style: str = "bold") -> None:
    console.print()
    console.print(Text(title, style=style))


def _facts(console: Console, indent: int, facts: Iterable[str]) -> None:
    """Short phrases, broken between them rather than within."""
    tied = (words.one_line(fact).replace(" ", _TIE) for fact in facts if fact)
    _paragraph(console, indent, " · ".join(tied), "dim")


def _lines(console: Console, indent: int, lines: Iterable[str], style: str = "") -> None:
    for line in lines:
        _line(console, indent, line, style)


def _line(console: Console, indent: int, text: str, style: str = "", then: str = "") -> None:
    """One paragraph; `style` is that of `text`, not of what comes `then`."""
    whole = words.one_line(f"{text} {then}")
    end = len(words.one_line(text)) if then else len(whole)
    _paragraph(console, indent, _NUMBER_AND_UNIT.sub(_TIE, whole), style, end)


def _paragraph(
    console: Console, indent: int, text: str, style: str, end: int | None = None
) -> None:
    for line in textwrap.wrap(text, console.width - indent, break_on_hyphens=False):
        styled = Text(" " * indent + line.replace(_TIE, " ").rstrip())
        styled.stylize(style, indent, None if end is None else indent + end)
        console.print(styled)
        end = None if end is None else max(0, end - len(line) - 1)
