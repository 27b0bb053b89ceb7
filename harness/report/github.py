"""GitHub Actions: an annotation at each objective's line, and a job summary in Markdown.

Annotations go to `out` (stdout of the step); the summary is appended to $GITHUB_STEP_SUMMARY where
that is set. Every text is escaped, so that no name can smuggle in a workflow command.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from harness.report import markdown, words
from harness.report.record import Objective, Record

FILE = "report.github.txt"

#: GitHub drops a step's summary beyond 1 MiB as a whole.
_SUMMARY_BYTES = 1024 * 1024 - 1024

_LEVELS = {
    "fail": "error",
    "inconclusive": "error",
    "invalid": "error",
    "dirty": "error",
    "error": "error",
    "interrupted": "warning",
}


def render(record: Record, out: TextIO) -> None:
    out.writelines(line + "\n" for line in _annotations(record))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        _append(Path(summary), record)


def _annotations(record: Record) -> Iterable[str]:
    file = _in_repository(record.run.experiment)
    _, word = words.SIGNS[words.verdict_of(record)]
    if record.verdict not in ("pass", "fail", "inconclusive"):
        why = "; ".join(record.reasons) or words.headline(record)
        yield _annotation(_LEVELS[record.verdict], file, 0, f"{word}: {record.run.name}", why)
    for objective in record.objectives:
        if objective.verdict != "pass":
            yield _of(record, file, objective)
    if record.verdict == "pass":
        yield _annotation("notice", file, 0, f"{word}: {record.run.name}", words.headline(record))


def _in_repository(path: str) -> str:
    """Annotations are shown only at paths relative to the repository."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    whole = Path(path).absolute()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else path


def _of(record: Record, file: str, objective: Objective) -> str:
    # An invalid run says nothing about the system, so neither may its objectives fail the job.
    blames = objective.severity != "warn" and record.verdict in ("fail", "inconclusive")
    level = _LEVELS[objective.verdict] if blames else "warning"
    title = f"{words.SIGNS[objective.verdict][1]}: {objective.text}"
    text = ". ".join(filter(None, (objective.says.rstrip("."), words.missing(objective))))
    return _annotation(level, file, objective.line, title, text)


def _annotation(level: str, file: str, line: int, title: str, text: str) -> str:
    where = {"file": file, "line": str(line) if line else "", "title": title}
    given = ",".join(f"{key}={_property(value)}" for key, value in where.items() if value)
    return f"::{level} {given}::{_data(text)}"


def _data(text: str) -> str:
    return words.printable(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _append(summary: Path, record: Record) -> None:
    text = io.StringIO()
    markdown.render(record, text)
    data = text.getvalue().encode()[:_SUMMARY_BYTES]
    with summary.open("ab") as file:
        file.write(data + b"\n")
