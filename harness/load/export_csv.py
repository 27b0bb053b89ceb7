"""A recording as CSV: seconds count from the end of the warm-up, latency from when it was due."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from harness.load.export import OUTCOMES, Taken
from harness.load.recording import Flag, Rows

COLUMNS = (
    "due_s", "started_s", "ended_s", "latency_ms", "name", "outcome", "status", "bytes", "first",
    "journey", "arrival", "worker",
)  # fmt: skip


def write(taken: Taken, out: BinaryIO) -> None:
    out.write(_text([COLUMNS]))
    out.writelines(_text(_lines(taken, rows)) for rows in taken.parts())


def _lines(taken: Taken, rows: Rows) -> Iterator[tuple[Any, ...]]:
    due, started, ended = (taken.seconds(rows[key]) for key in ("intended", "started", "ended"))
    took = (rows["ended"] - rows["intended"]) / 1e6
    flags = rows["flags"]
    return zip(
        (f"{second:.9f}" for second in due), (f"{second:.9f}" for second in started),
        (f"{second:.9f}" for second in ended), (f"{ms:.6f}" for ms in took),
        (taken.names[name] for name in rows["name"]),
        (OUTCOMES[outcome] for outcome in rows["outcome"]), rows["status"], rows["bytes"],
        flags & Flag.FIRST, (flags & Flag.JOURNEY) // Flag.JOURNEY, rows["arrival"],
        rows["worker"], strict=True,
    )  # fmt: skip


def _text(lines: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()
