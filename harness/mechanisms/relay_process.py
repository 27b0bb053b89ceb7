"""Starts a relay's process, talks to it, and ends it.

A thread of ours starts it and waits for it: a relay may die with its parent *thread*, and the
thread that was asked for the relay may end long before.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, Tuple

import harness
from harness.agent.protocol import Failed

_ANSWER_S = 2.0
_START_S = 10.0
_END_S = 1.0
_LARGEST = 1 << 16


class RelayProcess:
    """A running relay and the line to it: `python -m harness.mechanisms.MODULE PLACES… FD MAC`."""

    def __init__(self, module: str, *places: str, mac: bytes) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._begun = threading.Event()
        argv = (f"harness.mechanisms.{module}", *places, str(theirs.fileno()), mac.hex())
        self._keeper = threading.Thread(target=self._keep, args=(argv, theirs), daemon=True)
        self._keeper.start()
        self._begun.wait(_START_S)
        self._line.settimeout(_START_S)
        try:
            self._hear()
        except Failed:
            self.end()
            raise
        self._line.settimeout(_ANSWER_S)

    def _keep(self, argv: Tuple[str, ...], theirs: socket.socket) -> None:
        root = str(Path(harness.__file__).parent.parent)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-m", *argv], pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": root},
            )  # fmt: skip
            self._begun.set()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._keeper.is_alive()

    def tell(self, message: Dict[str, Any]) -> Dict[str, Any]:
        """Its counts; raises `Failed` when it does not answer."""
        with self._lock:
            try:
                self._line.send(json.dumps(message).encode())
            except OSError as error:
                raise Failed(f"the relay is gone: {error.strerror}") from None
            return self._hear()

    def wait(self) -> None:
        self._keeper.join()

    def end(self) -> None:
        self._process.kill()
        self._keeper.join(_END_S)
        self._line.close()

    def _hear(self) -> Dict[str, Any]:
        try:
            packet = self._line.recv(_LARGEST)
        except OSError as error:
            raise Failed(f"the relay does not answer: {error}") from None
        if not packet:
            raise Failed("the relay has died")
        answer: Dict[str, Any] = json.loads(packet)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer
