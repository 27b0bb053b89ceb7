"""How far it is, on stderr: a bar with the time left, or a line every 10 s where nobody looks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.selftest.results import Shot

_LINE_S = 10.0


class Counting:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=stream)

    def over(self, what: str, shots: Iterable[Shot], total: int) -> Iterator[Shot]:
        """The same shots, counted as they come. Nothing is drawn before the first has come."""
        live = self._console.is_terminal and not self._console.is_dumb_terminal
        return (self._bar if live else self._lines)(what, shots, total)

    def _bar(self, what: str, shots: Iterable[Shot], total: int) -> Iterator[Shot]:
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[left]} left something"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=total, left=0)
            left = 0
            for shot in shots:
                left += shot.bad
                progress.update(task, advance=1, left=left)
                yield shot

    def _lines(self, what: str, shots: Iterable[Shot], total: int) -> Iterator[Shot]:
        begin = told = time.monotonic()
        left = 0
        for number, shot in enumerate(shots, 1):
            left += shot.bad
            now = time.monotonic()
            if now - told >= _LINE_S or number == total:
                told, rest = now, (now - begin) / number * (total - number)
                line = f"{what}: {number} of {total}, {left} left something, {rest:.0f} s to go"
                self._stream.write(line + "\n")
                self._stream.flush()
            yield shot
