"""Finds renderers by name without importing those that nobody asked for.

A renderer is a file of this package with `render(record, out)` and `FILE`, the name that its
report has in a run directory; the file's name is what `--output` takes.
"""

from __future__ import annotations

import importlib
from typing import Protocol, TextIO, cast

from harness.report.record import Record

NAMES = ("console", "github", "html", "json", "junit", "markdown")

#: These are whole documents: on stdout they stand alone.
DOCUMENTS = frozenset({"html", "json", "junit"})


class Renderer(Protocol):
    FILE: str

    def render(self, record: Record, out: TextIO) -> None: ...


def find(name: str) -> Renderer:
    """The renderer of that name; it must be one of `NAMES`."""
    return cast("Renderer", importlib.import_module(f"harness.report.{name}"))
