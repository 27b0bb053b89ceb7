"""The report in Markdown, for a pull request or a job summary: short, tables, no raw HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

from harness.report import words
from harness.report.record import Effect, Objective, Record

FILE = "report.md"

#: What Markdown or HTML would read as anything but text.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def render(record: Record, out: TextIO) -> None:
    out.write("\n\n".join(_blocks(record)) + "\n")


def _blocks(record: Record) -> Iterable[str]:
    symbol, word = words.SIGNS[words.verdict_of(record)]
    yield f"## {symbol} {word}: {_text(record.run.name)}"
    yield _text(" ".join(filter(None, (record.run.hypothesis, words.headline(record)))))
    if record.reasons:
        yield "\n".join(f"- {_text(reason)}" for reason in record.reasons)
    if record.objectives:
        yield _table(("", "objective", "measured", "facts"), map(_objective, record.objectives))
    if record.effects:
        yield _table(
            ("fault", "target", "asked and seen", "exercised"), map(_effect, record.effects)
        )
    if record.findings:
        yield "\n".join(f"- **{_text(f.about)}**: {_text(f.says)}" for f in record.findings)
    if record.windows:
        yield _table(("window", "seconds", "requests", "good", "P50", "P99"), _windows(record))
    yield from _end(record)


def _objective(objective: Objective) -> tuple[str, ...]:
    symbol, word = words.SIGNS[objective.verdict]
    facts = ", ".join(words.objective_facts(objective))
    return (f"{symbol} {word}", objective.text, objective.says, facts)


def _effect(effect: Effect) -> tuple[str, ...]:
    seen = "; ".join(f"{line.field}: {words.seen(line)}" for line in effect.witnessed)
    verdict = f"{words.standing(effect)}. {seen}" if seen else words.standing(effect)
    return (
        f"{effect.intervention} ({effect.fault})",
        effect.target,
        verdict,
        words.exercised(effect),
    )


def _windows(record: Record) -> Iterable[tuple[str, ...]]:
    for window in record.windows:
        yield (
            window.name,
            f"{window.start_s:.1f}–{window.end_s:.1f}",
            f"{window.count:,}",
            words.quantity(window.availability, "share"),
            words.milliseconds(window.p50_ms),
            words.milliseconds(window.p99_ms),
        )


def _end(record: Record) -> Iterable[str]:
    if record.load:
        yield f"Load: {_text(words.load_line(record.load))}."
    if record.crossing:
        yield "\n".join(f"- {_text(line)}" for line in words.crossing_lines(record.crossing))
    yield f"Run {_code(record.run.id)}, seed {record.run.seed}. Again: {_code(words.rerun(record))}"
    if record.by_hand:
        yield "**Run these by hand:**"
        yield "\n".join(f"    {words.one_line(command)}" for command in record.by_hand)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(map(_text, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", words.one_line(text))


def _code(text: str) -> str:
    return f"`{words.one_line(text).replace('`', chr(39))}`"
