"""Collects what is wrong, so that a person sees all of it at once.

Readers report here and go on with a stand-in value; the loader raises at the end. A place is a
file, line and column, both from 1; the quoted source line comes from the texts kept here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from harness.errors import InvalidFile, Problem
from harness.experiment.codes import Code

#: A caret below a longer line helps nobody.
_QUOTABLE = 160


@dataclass(frozen=True)
class Place:
    path: str
    line: int = 1
    column: int = 1


class Problems:
    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self._lines: dict[str, list[str]] = {}

    def know(self, path: str, text: str) -> None:
        """Keep a file's text, to quote from it."""
        self._lines[path] = text.split("\n")

    def text_of(self, path: str) -> str:
        return "\n".join(self._lines[path])

    def add(self, place: Place, code: Code, message: str, hint: str = "") -> None:
        source = self._quote(place)
        problem = Problem(place.path, place.line, place.column, code.id, message, source, hint)
        self._found[problem] = None

    def _quote(self, place: Place) -> str:
        lines = self._lines.get(place.path, [])
        line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        if place.column > _QUOTABLE:
            return ""
        shown = "".join(c if c.isprintable() else " " for c in line[:_QUOTABLE])
        return shown.rstrip() if shown.strip() else ""

    def __bool__(self) -> bool:
        return bool(self._found)

    def touches(self, path: str) -> bool:
        """Whether something is wrong with this file."""
        return any(problem.path == path for problem in self._found)

    def finish(self) -> None:
        """Raise `InvalidFile` if anything was reported."""
        if self._found:
            self.fail()

    def fail(self) -> NoReturn:
        """Raise `InvalidFile`: nothing more can be read."""
        raise InvalidFile(tuple(sorted(self._found, key=lambda p: (p.path, p.line, p.column))))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[close[0]] if close else ""


def did_you_mean(word: str, known: Iterable[str], are: str) -> str:
    """A hint: the likely word, and the others when they are few."""
    names = sorted(set(known))
    likely = nearest(word, names)
    listed = f"{are}: {', '.join(names)}" if 0 < len(names) <= 24 else ""
    return "; ".join(part for part in (f"did you mean {likely}?" if likely else "", listed) if part)
