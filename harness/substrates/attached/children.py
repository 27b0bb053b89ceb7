"""Processes of this machine that we start: plain children, and some that end with us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_END_S = 5.0


class AttachedChild:
    """A plain child process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def terminate(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_S)


def tied_child(argv: tuple[str, ...], log: Path) -> AttachedChild:
    """A process of this machine that ends with us, however we end."""
    tied = [sys.executable, "-P", "-m", "harness.substrates.attached.tied", str(os.getpid())]
    with log.open("ab") as out:
        return AttachedChild(
            subprocess.Popen([*tied, *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        )
