"""Every error that a person can meet, and the exit status that it ends with.

    HarnessError                     70  internal error, unless a subclass says otherwise
    ├── UsageError                    2  a wrong option, file, name or context
    │   ├── InvalidFile               2  an experiment or system file with problems (all of them)
    │   └── Refused                   2  a plan that must not or cannot be carried out
    ├── InvalidRun                    6  the run could not have known
    │   └── NotReady                  6  the system, an image or a server did not come up
    ├── Interrupted                   4  a person, a signal, a full disk ended it, all taken back
    │   └── Halted                    4  the red button was pressed before the system was up
    └── LeftBehind                    5  something could not be taken back

A message says what happened, where, and what to do next: the last is `hint`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses: stable, documented in `harness --help`."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INTERRUPTED = 4
    LEFT_BEHIND = 5
    INVALID = 6
    INTERNAL = 70


#: Which status stands for a run or a set of runs when several apply: the first of these.
SEVERITY = (
    Exit.LEFT_BEHIND,
    Exit.INTERNAL,
    Exit.INTERRUPTED,
    Exit.INVALID,
    Exit.FAIL,
    Exit.INCONCLUSIVE,
    Exit.USAGE,
    Exit.PASS,
)


def worst(*statuses: Exit) -> Exit:
    """The status that outranks the others; `Exit.PASS` of none."""
    return min(statuses, key=SEVERITY.index, default=Exit.PASS)


class HarnessError(Exception):
    """Base of all; `code` is stable and can be searched for."""

    exit_status: Exit = Exit.INTERNAL
    code: str = "HX000"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}"


class UsageError(HarnessError):
    """A wrong option, file, name or context: nothing was done."""

    exit_status = Exit.USAGE
    code = "HX200"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file. `line` and `column` count from 1."""

    path: str
    line: int
    column: int
    code: str
    message: str
    source: str = ""
    hint: str = ""

    def __str__(self) -> str:
        head = f"{self.path}:{self.line}:{self.column}: error {self.code}: {self.message}"
        caret = f"\n    {self.source}\n    {' ' * (self.column - 1)}^" if self.source else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return head + caret + hint


class InvalidFile(UsageError):
    """All problems of the files at once, in the order of their places."""

    code = "HX201"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join(map(str, problems)) + f"\n{count}")
        self.problems = problems


class Refused(UsageError):
    """A plan that must not, or cannot, be carried out: nothing was done."""

    code = "HX210"


class InvalidRun(HarnessError):
    """The run could not have known whether the system holds: it is about the test."""

    exit_status = Exit.INVALID
    code = "HX600"


class NotReady(InvalidRun):
    """The system, an image or a server did not come up."""

    code = "HX610"


class Interrupted(HarnessError):
    """A person, a signal or a full disk ended the run; everything was taken back."""

    exit_status = Exit.INTERRUPTED
    code = "HX400"


class Halted(Interrupted):
    """The red button was pressed before anything could be injected."""

    code = "HX401"


class LeftBehind(HarnessError):
    """Something could not be taken back: the message has the commands to run by hand."""

    exit_status = Exit.LEFT_BEHIND
    code = "HX500"
