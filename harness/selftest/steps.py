"""Who stands at which step: the socket that `harness.agent.stepping` tells, for one run.

A step's name here says what it is, whichever fault it is of: `receipt`, `made` (the mechanism has
done it and nobody knows yet), `unmade`, `held` (seen a second time); those of what a fault needs
before the baseline begin with `prepare`.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from harness.selftest.scratch import FAULT

#: Where somebody may be killed, in the order of a life; whoever of them is never told is no step
#: of that fault.
ORDER = (
    "world starting", "prepare receipt", "prepare entrusted", "prepare made", "prepared", "before",
    "snapshot", "receipt", "injecting", "entrusted", "made", "injected", "acts", "did", "acted",
    "witnessed", "held", "reverting", "unmade", "reverted", "gone", "prepare unmade",
    "world closing",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """`at` in monotonic seconds; `raw` is what was said."""

    at: float
    name: str
    raw: str


class Steps:
    """Let everybody go on at once, but whoever stands at the step that is waited for."""

    def __init__(self, path: Path) -> None:
        self.told: list[Told] = []
        self.in_force: tuple[str, ...] = ()  # by the agent's last word
        self._held: socket.socket | None = None
        self._listeners: dict[Path, socket.socket] = {}
        self.listen(path)

    def listen(self, path: Path) -> None:
        """There, too; not where somebody does already, or where nobody can any more."""
        if path in self._listeners:
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            listener.bind(str(path))
        except OSError:
            listener.close()
            return
        listener.listen(64)
        self._listeners[path] = listener

    def close(self) -> None:
        self.go_on()
        for listener in self._listeners.values():
            listener.close()

    def serve(self, for_s: float, hold: Collection[str] = ()) -> bool:
        """Answer for that long; true as soon as somebody stands at one of `hold`, and stays."""
        end = time.monotonic() + for_s
        listeners = list(self._listeners.values())
        while there := select.select(listeners, [], [], max(0.0, end - time.monotonic()))[0]:
            line, _ = there[0].accept()
            if self._hear(line) in hold:
                self._held = line
                return True
            _answer(line)
        return False

    def go_on(self) -> None:
        """Let whoever is held go on."""
        if self._held:
            _answer(self._held)
        self._held = None

    def _hear(self, line: socket.socket) -> str:
        line.settimeout(1.0)
        try:
            raw = line.recv(4096).decode()
        except OSError:  # killed meanwhile
            raw = ""
        self.told.append(Told(time.monotonic(), self._name(raw), raw))
        return self.told[-1].name

    def _name(self, raw: str) -> str:
        what, *of = raw.split() or [""]
        if what == "made":
            return self._made(tuple(of))
        if what == "look" and any(told.name == "witnessed" for told in self.told):
            return "held"
        if of and of[0].startswith(f"{FAULT}/"):
            return what
        return f"prepare {what}" if of and of[0].startswith("intercept/") else raw

    def _made(self, now: tuple[str, ...]) -> str:
        before, self.in_force = self.in_force, now
        changed = set(before) ^ set(now)
        done = "made" if set(now) - set(before) else "unmade"
        ours = not changed or any(id.startswith(f"{FAULT}/") for id in changed)
        return done if ours else f"prepare {done}"


def _answer(line: socket.socket) -> None:
    with line, contextlib.suppress(OSError):
        line.send(b".")
