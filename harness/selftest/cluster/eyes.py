"""Asks a looker on a node: beside the node's own processes, or in a pod where that cannot be.

A looker that does not answer (its node is off) is ended, and started anew when it is asked next.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from harness.mechanisms.processes import children
from harness.selftest.cluster.looker import LOOKS
from harness.selftest.cluster.switches import Switches
from harness.substrates.kubernetes.api import Api, ApiError, Json
from harness.substrates.kubernetes.stream import Exec

_ANSWERS_S = 10.0
#: A look costs some twenty milliseconds of a core.
_EVERY_S = 0.4

SOURCE = Path(__file__).with_name("looker.py").read_text()
#: What it looks with where it is there.
TOOLS = tuple(look.split()[0] for look in LOOKS)
_LOOKER = ("python3", "-c", SOURCE)


@dataclass(frozen=True)
class Line:
    """`root` is that of the node, where this machine can reach it."""

    reader: BinaryIO
    writer: BinaryIO
    end: Callable[[], None]
    root: Path | None = None


@dataclass
class Eyes:
    """`tools`: what it looks with."""

    open: Callable[[], Line]
    tools: tuple[str, ...] = ()
    _line: Line | None = None
    _seen: dict[str, tuple[float, Json]] = field(default_factory=dict)

    def look(
        self, pods: tuple[str, ...], cgroups: tuple[str, ...], *, anew: bool = False
    ) -> Json | None:
        """Of now, or (not `anew`) of a moment ago; None when nobody answers."""
        question = json.dumps({"pods": pods, "cgroups": cgroups})
        at, seen = self._seen.get(question, (0.0, {}))
        if time.monotonic() < at + _EVERY_S and not anew:
            return seen
        answer = self._asked(question)
        self._seen = {question: (time.monotonic(), answer)} if answer is not None else {}
        return answer

    def kill(self, pids: list[int], number: int) -> int:
        """How many were there to be hit."""
        self._seen = {}
        answer = self._asked(json.dumps({"kill": pids, "signal": number}))
        return int(answer["hit"]) if answer else 0

    @property
    def shut(self) -> bool:
        """Nobody answered when they were last asked."""
        return self._line is None

    @property
    def root(self) -> Path | None:
        return self._line.root if self._line else None

    def close(self) -> None:
        if self._line:
            self._line.end()
        self._line = None

    def _asked(self, question: str) -> Json | None:
        try:
            if self._line is None:
                self._line = self.open()
                self.tools = tuple((_read(self._line) or {}).get("tools", ()))
            self._line.writer.write(question.encode() + b"\n")
            self._line.writer.flush()
            answer = _read(self._line)
        except (OSError, ValueError, ApiError):
            answer = None
        if answer is None:
            self.close()
        return answer


def in_node(switches: Switches, node: str) -> Callable[[], Line]:
    def opened() -> Line:
        looker = subprocess.Popen(
            switches.inside(node, *_LOOKER), cwd=switches.directory, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert looker.stdin
        assert looker.stdout

        def end() -> None:
            looker.kill()
            looker.wait()
            with contextlib.suppress(OSError):  # what it was not told any more
                into.close()
            out.close()

        out, into = cast("BinaryIO", looker.stdout), cast("BinaryIO", looker.stdin)
        return Line(out, into, end, _root(looker))

    return opened


def in_pod(api: Api, namespace: str, pod: str, log: Path) -> Callable[[], Line]:
    def opened() -> Line:
        stream = Exec(api, namespace, pod, _LOOKER, log, container="looker")
        return Line(stream.reader, stream.writer, stream.close)

    return opened


def _root(looker: subprocess.Popen[bytes]) -> Path | None:
    """Of its only child, once that has begun: who enters a node is the parent of who is there. None
    where nobody can enter, since the node is off."""
    until = time.monotonic() + _ANSWERS_S
    while time.monotonic() < until and looker.poll() is None:
        if found := children(looker.pid):
            return Path(f"/proc/{found[0].pid}/root")
        time.sleep(0.01)
    return None


def _read(line: Line) -> Json | None:
    if not select.select([line.reader], [], [], _ANSWERS_S)[0]:
        return None
    answer: Any = json.loads(line.reader.readline() or "null")
    return cast("Json | None", answer)
