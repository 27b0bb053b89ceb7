"""The journal: one JSON line a step, appended and fsynced before the step's effect.

Each line carries its number, its time, a checksum over its content and the line before it, so that
a torn tail is known for what it is and a changed line shows. Reading stops at the first line that
does not verify; whatever stood there never began.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.record.redaction import Secrets, redacted

#: What happens, in the order of a condition's life; an event has `acting`, `acted` in the middle.
StepName = Literal[
    "run.started", "world.ready", "prepared", "load.started", "warmup.over",
    "receipt", "injecting", "injected", "acting", "acted", "before", "look", "witnessed",
    "reverting", "reverted", "gone", "left_behind", "target_gone", "judged", "exercised", "failed",
    "gate", "abort", "trouble", "decided", "load.ended", "world.closed", "run.ended", "recovered",
]  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One line. `at` is monotonic nanoseconds, `effect` a PlannedEffect's id or empty."""

    number: int
    at: int
    step: str
    effect: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Journal:
    """Appends steps. One writer; `append` returns once the line is on disk, or raises OSError."""

    def __init__(self, path: Path, secrets: Secrets = ()) -> None:
        self._secrets = secrets
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        steps, self._chain, self._whole = _scan(path)
        self._number = len(steps)
        os.ftruncate(self._fd, self._whole)

    def append(self, step: StepName, effect: str = "", **data: Any) -> Step:
        data = redacted(data, self._secrets)
        made = Step(self._number, time.monotonic_ns(), step, effect, data)
        line, chain = _line(made, self._chain)
        try:
            _write_all(self._fd, line)
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._whole)  # half a line would hide whatever follows it
            raise
        self._number, self._chain, self._whole = self._number + 1, chain, self._whole + len(line)
        return made

    def close(self) -> None:
        os.close(self._fd)


def read(path: Path) -> tuple[Step, ...]:
    """Every step that verifies, in order; empty when there is no journal."""
    return tuple(_scan(path)[0])


def _write_all(fd: int, line: bytes) -> None:
    while line:
        line = line[os.write(fd, line) :]


def _line(step: Step, before: int) -> tuple[bytes, int]:
    body = json.dumps(
        {"n": step.number, "at": step.at, "step": step.step, "effect": step.effect, **step.data},
        separators=(",", ":"), default=str,
    )  # fmt: skip
    chain = zlib.crc32(body.encode(), before)
    return f'{{"crc":"{chain:08x}",{body[1:]}\n'.encode(), chain


def _scan(path: Path) -> tuple[list[Step], int, int]:
    """Steps that verify, the chain after them, and how many bytes they take."""
    steps: list[Step] = []
    chain = whole = 0
    for raw in _lines(path):
        verified = _verify(raw, chain)
        if verified is None:
            break
        step, chain = verified
        steps.append(step)
        whole += len(raw)
    return steps, chain, whole


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return


def _verify(raw: bytes, before: int) -> tuple[Step, int] | None:
    head, body = raw[:18], b"{" + raw[18:].rstrip(b"\n")
    chain = zlib.crc32(body, before)
    if not raw.endswith(b"\n") or head != b'{"crc":"%08x",' % chain:
        return None
    data = json.loads(body)
    return Step(data.pop("n"), data.pop("at"), data.pop("step"), data.pop("effect"), data), chain
