"""Writes one load worker's recording: rows in blocks, so that a SIGKILL costs the last 50 ms.

A name is on disk before the first row that uses it. Nothing is fsynced: what the kernel has taken
survives the death of any process, and a machine that loses power loses the run anyway.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from harness.load.recording import MAGIC, ROW, Flag, Outcome

#: The layout of `recording.ROW` and `recording.HEADER`, packed twenty times faster than by numpy.
_ROW = struct.Struct("<qqqIIHHHBB")
_HEADER = struct.Struct("<8sIIq40x")
_BLOCK_ROWS = 4096
#: URLs without `name=` can be without number; a row's name has 16 bits.
_MOST_NAMES = 60_000
_OTHER_NAMES = "(other names)"

assert _ROW.size == ROW.itemsize


class Recorder:
    """Appends rows; the owner calls `flush` every 50 ms and `close` at the end."""

    def __init__(self, directory: Path, worker: int) -> None:
        self._worker = worker
        self._rows = _create(directory / f"recording.{worker}.bin")
        self._names = _create(directory / f"recording.{worker}.names")
        self._numbers: dict[str, int] = {}
        self._block = bytearray()
        self._new_names = bytearray()
        self.begin(0)

    def begin(self, epoch_ns: int) -> None:
        """Write the header; `epoch_ns` is second 0 of the run, known once all workers are ready."""
        os.pwrite(self._rows, header(self._worker, epoch_ns), 0)
        os.lseek(self._rows, 0, os.SEEK_END)

    def add(
        self, name: str, intended: int, started: int, ended: int, *, outcome: Outcome,
        flags: Flag | int, arrival: int, status: int = 0, size: int = 0,
    ) -> None:  # fmt: skip
        """Append a row. Times are monotonic nanoseconds."""
        self._block += _ROW.pack(
            intended, started, ended, min(size, 0xFFFFFFFF), arrival & 0xFFFFFFFF,
            self._number(name), status & 0xFFFF, self._worker, outcome, flags,
        )  # fmt: skip
        if len(self._block) >= _BLOCK_ROWS * _ROW.size:
            self.flush()

    def flush(self) -> None:
        names, self._new_names = self._new_names, bytearray()
        block, self._block = self._block, bytearray()
        _write_all(self._names, names)
        _write_all(self._rows, block)

    def close(self) -> None:
        self.flush()
        os.close(self._rows)
        os.close(self._names)

    def _number(self, name: str) -> int:
        found = self._numbers.get(name)
        if found is not None:
            return found
        if len(self._numbers) >= _MOST_NAMES and name != _OTHER_NAMES:
            return self._number(_OTHER_NAMES)
        self._numbers[name] = len(self._numbers)
        self._new_names += " ".join(name.splitlines()).encode(errors="replace") + b"\n"
        return self._numbers[name]


def header(worker: int, epoch_ns: int) -> bytes:
    """What a recording begins with."""
    return _HEADER.pack(MAGIC, _ROW.size, worker, epoch_ns)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)


def _write_all(fd: int, block: bytearray) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(fd, view) :]
