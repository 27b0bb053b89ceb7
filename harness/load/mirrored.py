"""The files of a load worker elsewhere, as they arrive: in our run directory, on our clock.

What came is remembered as it was sent, so that it can be compared with what the worker had written.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from harness.load.recorder import header
from harness.load.recording import ROW
from harness.load.station import first_byte
from harness.load.status import path_of

_TIMES = ("intended", "started", "ended")


class Mirrored:
    """`ahead_ns` is how far their clock is ahead of ours. One writer."""

    def __init__(self, directory: Path, worker: int, ahead_ns: int) -> None:
        self.sizes: dict[str, int] = {}
        self._directory = directory
        self._worker = worker
        self._ahead_ns = ahead_ns
        self._sums: dict[str, Any] = {}
        self._rest = b""
        self._recording = directory / f"recording.{worker}.bin"
        self._status = path_of(directory, worker)
        self._recording.write_bytes(header(worker, 0))
        for path in (self._recording.with_suffix(".names"), directory / f"load.{worker}.log"):
            path.write_bytes(b"")

    def begin(self, epoch_ns: int) -> None:
        with self._recording.open("r+b") as file:
            os.pwrite(file.fileno(), header(self._worker, epoch_ns), 0)

    def take(self, name: str, data: bytes) -> None:
        """What comes next of that file: whole rows of a recording."""
        path = self._directory / name
        self._sums.setdefault(name, hashlib.sha256()).update(data)
        self.sizes[name] = self.sizes.get(name, first_byte(name)) + len(data)
        if path == self._recording:
            data = self._rows(data)
        elif path == self._status:
            data = self._lines(data)
        with path.open("ab") as file:
            file.write(data)

    def came(self, name: str) -> tuple[int, str]:
        """Size and SHA-256 of what came, as the station tells them at its end."""
        found = self._sums.get(name) or hashlib.sha256()
        return self.sizes.get(name, first_byte(name)), found.hexdigest()

    def _rows(self, data: bytes) -> bytes:
        rows = np.frombuffer(data, ROW).copy()
        for name in _TIMES:
            rows[name] -= self._ahead_ns
        return rows.tobytes()

    def _lines(self, data: bytes) -> bytes:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return b"".join(self._on_our_clock(line) + b"\n" for line in lines)

    def _on_our_clock(self, line: bytes) -> bytes:
        told = json.loads(line)
        for key in ("at", "oldest_due"):
            if told.get(key) is not None:
                told[key] -= self._ahead_ns
        return json.dumps(told, separators=(",", ":")).encode()
