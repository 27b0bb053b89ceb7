"""In which order an answer of the engine is carried out: a receipt is on disk before its effect.

The commands behind a step that could not be written, and that its effect rests on, are not carried
out but fail. The simulation uses this function too, so that what it tries is what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.run.lifecycle import Command, Failed, Finish, Write

_BEFORE_EFFECT = frozenset({"joined", "receipt", "injecting", "redirecting", "acting"})


def dispatch(
    commands: Iterable[Command], write: Callable[[Write], str], send: Callable[[Command], None]
) -> tuple[list[Failed], list[Failed]]:
    """`write` says why it could not, or nothing. The failures: of writes, to be fed before anything
    else is; and of the commands that were cancelled."""
    broken: dict[str, str] = {}
    unwritten: list[Failed] = []
    cancelled: list[Failed] = []
    for command in commands:
        why = broken.get(getattr(command, "effect", ""))
        if isinstance(command, Write):
            if not why and (why := write(command)):
                unwritten.append(Failed(command, why))
                if command.step in _BEFORE_EFFECT:
                    broken[command.effect] = why
        elif why:
            cancelled.append(Failed(command, f"the journal cannot be written: {why}"))
        elif not isinstance(command, Finish):
            send(command)
    return unwritten, cancelled
