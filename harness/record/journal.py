"""The journal: one JSON line a step, appended and fsynced before the step's effect.

Each line carries its number, its time and the SHA-256 of the sum before it and its own content: a
torn tail is known for what it is, and a line that was changed, taken out or put in shows. `read`
stops at the first line that does not verify. Caveat: whoever can write the file can write a whole
new chain; to be sure of the last line its sum has to be kept elsewhere (`harness audit` prints it).
Journals of before that have CRC-32 sums: they show accidents, and are read all the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import threading
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.agent.stepping import step as standing_at
from harness.record.redaction import Secrets, redacted

#: What happens, in the order of a condition's life; an event has `acting`, `acted` in the middle.
StepName = Literal[
    "run.started", "world.ready", "prepared", "load.started", "warmup.over",
    "receipt", "injecting", "injected", "acting", "acted", "before", "look", "witnessed",
    "reverting", "reverted", "gone", "left_behind", "target_gone", "judged", "exercised", "failed",
    "gate", "abort", "trouble", "decided", "replaced", "joined", "redirecting",
    "load.ended", "world.closed", "run.ended", "recovered",
]  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One line. `at` is monotonic nanoseconds, `effect` a PlannedEffect's id or empty."""

    number: int
    at: int
    step: str
    effect: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chain:
    """What a journal holds: the steps that verify, the sum of the last, how many bytes they take,
    and how many of them have but a CRC. `rest` is what does not verify behind them."""

    steps: tuple[Step, ...] = ()
    head: str = ""
    whole: int = 0
    old: int = 0
    rest: bytes = b""

    @property
    def damaged(self) -> bool:
        """More than a last line that was being written when the writer died."""
        return b"\n" in self.rest


class Held(OSError):
    """Another process writes this journal: its run is still there."""


class Journal:
    """Appends steps; `append` returns once the line is on disk, or raises OSError.

    One writer: it holds a lock on the file, which ends with its process. Raises `Held`.
    """

    def __init__(self, path: Path, secrets: Secrets = ()) -> None:
        self._secrets = secrets
        self._one_at_a_time = threading.Lock()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        _lock(self._fd, path)
        chain = chain_of(path)
        self._number, self._head, self._size = len(chain.steps), chain.head, chain.whole
        if chain.damaged:  # evidence: kept, and what is written now stands behind it
            self._size += len(chain.rest)
        os.ftruncate(self._fd, self._size)
        if chain.damaged and not chain.rest.endswith(b"\n"):
            self._size += os.write(self._fd, b"\n")

    def append(self, step: StepName, effect: str = "", **data: Any) -> Step:
        with self._one_at_a_time:
            return self._append(step, effect, redacted(data, self._secrets))

    def _append(self, step: StepName, effect: str, data: dict[str, Any]) -> Step:
        made = Step(self._number, time.monotonic_ns(), step, effect, data)
        line, head = _line(made, self._head)
        try:
            _write_all(self._fd, line)
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)  # half a line would hide whatever follows it
            raise
        self._number, self._head, self._size = self._number + 1, head, self._size + len(line)
        standing_at(f"{step} {effect}".strip())
        return made

    def close(self) -> None:
        os.close(self._fd)


def read(path: Path) -> tuple[Step, ...]:
    """Every step that verifies, in order; empty when there is no journal."""
    return chain_of(path).steps


def chain_of(path: Path) -> Chain:
    try:
        return chain_in(path.read_bytes())
    except FileNotFoundError:
        return Chain()


def chain_in(data: bytes) -> Chain:
    """The same of a journal's bytes, whatever they are."""
    steps: list[Step] = []
    head, whole, old = "", 0, 0
    for raw in io.BytesIO(data):
        verified = _verify(raw, head)
        if verified is None:
            break
        step, head = verified
        steps.append(step)
        whole += len(raw)
        old += len(head) == _CRC
    return Chain(tuple(steps), head, whole, old, data[whole:])


def salvaged(chain: Chain) -> tuple[Step, ...]:
    """Those that verify, and of a damaged journal every line behind them that can still be read:
    what may have been done is taken back, whoever changed the file."""
    behind = (_parsed(raw) for raw in io.BytesIO(chain.rest))
    return (*chain.steps, *(step for step in behind if step is not None))


def encoded(steps: Iterable[Step]) -> bytes:
    """Steps as a journal holds them."""
    lines, head = [], ""
    for step in steps:
        line, head = _line(step, head)
        lines.append(line)
    return b"".join(lines)


def is_held(path: Path) -> bool:
    """Whether the one that writes this journal is alive."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Held(f"{path} is being written by another process") from None


# ---------------------------------------------------------------- lines

_SHA, _CRC = 64, 8
_START = len('{"sha":"')


def _write_all(fd: int, line: bytes) -> None:
    while line:
        line = line[os.write(fd, line) :]


def _line(step: Step, before: str) -> tuple[bytes, str]:
    body = json.dumps(
        {"n": step.number, "at": step.at, "step": step.step, "effect": step.effect, **step.data},
        separators=(",", ":"), default=str,
    )  # fmt: skip
    head = _sum(body.encode(), before)
    return f'{{"sha":"{head}",{body[1:]}\n'.encode(), head


def _sum(body: bytes, before: str) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()


def _old_sum(body: bytes, before: str) -> str:
    return f"{zlib.crc32(body, int(before or '0', 16)):08x}"


def _verify(raw: bytes, before: str) -> tuple[Step, str] | None:
    """An old line may stand before new ones, never behind them."""
    old = raw.startswith(b'{"crc":"') and len(before) != _SHA
    head, body = _parts(raw, _CRC if old else _SHA)
    right = _old_sum(body, before) if old else _sum(body, before)
    if not raw.endswith(b"\n") or head != b'{"%s":"%s",' % (b"crc" if old else b"sha",
                                                            right.encode()):  # fmt: skip
        return None
    return _step(json.loads(body)), right


def _parts(raw: bytes, sum_length: int) -> tuple[bytes, bytes]:
    """A line's sum, and the content that it is over."""
    cut = _START + sum_length + len('",')
    return raw[:cut], b"{" + raw[cut:].removesuffix(b"\n")


def _step(data: dict[str, Any]) -> Step:
    return Step(data.pop("n"), data.pop("at"), data.pop("step"), data.pop("effect"), data)


def _parsed(raw: bytes) -> Step | None:
    """A complete line by its content alone, if it has any."""
    try:
        data: Any = json.loads(raw) if raw.endswith(b"\n") else None
        data.pop("sha", data.pop("crc", None))
        return _step(data)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
