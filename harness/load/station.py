"""A load worker away from home: the main process of its pod, which speaks for it.

    python -m harness.load.station DIRECTORY     starts the worker, sends what it writes

It is spoken to over a socket, to which `joining` leads. The worker is the one that runs everywhere;
its files are sent as they grow, and at the end their sizes and checksums. A line may break and be
joined again: what had arrived is not sent anew. When nobody has been heard for `LEASE_S` the load
ends: no one measures it any more.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness.load.joining import SOCKET
from harness.load.recording import HEADER, ROW
from harness.load.spec import write_go, write_stop
from harness.load.tags import FILE as TAGS

LEASE_S = 5.0
#: Until the load begins, when others may still have to be started.
PATIENCE_S = 60.0
_TURN_S = 0.02
_SEND_S = 3.0
#: Whole rows.
_CHUNK = ROW.itemsize << 14
_EVICTED = 143


class Station:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(directory / SOCKET))
        self._door.listen(4)
        self._line: socket.socket | None = None
        self._lease_s = PATIENCE_S
        self._heard = time.monotonic()
        self._said = bytearray()
        self._worker: subprocess.Popen[bytes] | None = None
        self._names: tuple[str, ...] = ()
        self._sent: dict[str, int] = {}
        self._asked = False  # on this line, for what is new
        self._told_end = False
        self._left = False

    def run(self) -> int:
        """0 when everything had arrived, else 1: the run was over before."""
        try:
            while not self._left and time.monotonic() < self._heard + self._lease_s:
                self._listen()
                self._send_what_is_new()
        finally:
            self._end()
        return 0 if self._left else 1

    # ------------------------------------------------------------ what is said to us

    def _listen(self) -> None:
        waits = [self._door, self._line] if self._line else [self._door]
        ready, _, _ = select.select(waits, [], [], _TURN_S)
        if self._door in ready:
            self._hang_up()
            self._line, _ = self._door.accept()
            self._line.settimeout(_SEND_S)
        elif self._line and self._line in ready:
            self._hear(self._line)

    def _hear(self, line: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = line.recv(_CHUNK)
        if not data:
            self._hang_up()
            return
        self._heard = time.monotonic()
        self._said += data
        while (end := self._said.find(b"\n")) >= 0:
            told = json.loads(self._said[:end])
            del self._said[: end + 1]
            self._obey(told)

    def _obey(self, told: dict[str, Any]) -> None:
        match told["do"]:
            case "begin":
                self._begin(told)
            case "have":
                self._sent, self._told_end, self._asked = dict(told["sizes"]), False, True
            case "ping":
                self._say({"pong": told["number"], "at": time.monotonic_ns()})
            case "go":
                self._lease_s = LEASE_S
                write_go(self._directory, told["t0_ns"])
            case "stop":
                write_stop(self._directory)
            case "end":
                self._end()
            case "leave":
                self._left = True

    def _begin(self, told: dict[str, Any]) -> None:
        for name, text in told["files"].items():
            path = self._directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(text))
        self._asked = True
        spec, worker = told["spec"], told["spec"]["worker"]
        path = self._directory / f"load.{worker}.spec.json"
        path.write_text(json.dumps({**spec, "directory": str(self._directory)}))
        # rows come after the names that they use: what is looked at first is sent last
        self._names = (f"recording.{worker}.bin", f"recording.{worker}.names",
                       f"load.{worker}.jsonl", f"load.{worker}.log", TAGS)  # fmt: skip
        with (self._directory / f"load.{worker}.log").open("wb") as log:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", told["module"], str(path)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, **told["environment"]},
                cwd=self._directory,
            )  # fmt: skip

    # ------------------------------------------------------------ what we say

    def _send_what_is_new(self) -> None:
        if self._worker is None or self._line is None or not self._asked:
            return
        status = self._worker.poll()
        sizes = [(name, whole(self._directory / name)) for name in self._names]
        for name, size in reversed(sizes):
            self._send_up_to(name, size)
        if status is not None and self._line and not self._told_end:
            self._told_end = True
            sums = {name: checksum(self._directory / name) for name in self._names}
            self._say({"ended": status, "sums": sums})

    def _send_up_to(self, name: str, size: int) -> None:
        begin = self._sent.get(name, first_byte(name))
        while begin < size and self._line:
            with (self._directory / name).open("rb") as file:
                file.seek(begin)
                data = file.read(min(size - begin, _CHUNK))
            self._say({"file": name, "size": len(data)}, data)
            begin += len(data)
            self._sent[name] = begin

    def _say(self, head: dict[str, Any], data: bytes = b"") -> None:
        if self._line is None:
            return
        try:
            self._line.sendall(json.dumps(head).encode() + b"\n" + data)
        except OSError:
            self._hang_up()

    # ------------------------------------------------------------ ends

    def _hang_up(self) -> None:
        if self._line:
            self._line.close()
        self._line, self._said, self._asked = None, bytearray(), False

    def _end(self) -> None:
        if self._worker and self._worker.poll() is None:
            self._worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._worker.wait(1)
            self._worker.kill()
            self._worker.wait()


def first_byte(name: str) -> int:
    """A recording's header is written twice, so it is not sent: whoever knows the run makes it."""
    return HEADER.itemsize if name.endswith(".bin") else 0


def whole(path: Path) -> int:
    """Bytes up to the last whole row; 0 for a file that is not there."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if path.suffix == ".bin":
        size -= max(size - HEADER.itemsize, 0) % ROW.itemsize
    return size


def checksum(path: Path) -> tuple[int, str]:
    """The size up to the last whole row, and the SHA-256 of what is sent of it."""
    size, found = whole(path), hashlib.sha256()
    if size:
        with path.open("rb") as file:
            file.seek(first_byte(path.name))
            left = size - first_byte(path.name)
            while left > 0:
                data = file.read(min(left, _CHUNK))
                found.update(data)
                left -= len(data)
    return size, found.hexdigest()


def main(directory: str) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_EVICTED))
    return Station(Path(directory)).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
