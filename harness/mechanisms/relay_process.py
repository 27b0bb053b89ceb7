"""A relay's process, from its owner's side: started, talked to, ended."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
from contextlib import suppress
from typing import Any, Dict

from harness.agent.nursery import nursery
from harness.agent.protocol import Failed

_ANSWER_S = 2.0
_START_S = 10.0
#: Each program costs the kernel some 10 ms, one after the other, whoever else attaches theirs.
OBEY_S = 10.0
_LARGEST = 1 << 16


class RelayProcess:
    """A running relay and the line to it: `harness.mechanisms.MODULE PLACES… FD MAC`."""

    def __init__(self, module: str, *places: str, mac: bytes) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._nursery = nursery()
        with theirs:
            arguments = (*places, "{}", mac.hex())
            self.pid = self._nursery.bear(f"harness.mechanisms.{module}", arguments, theirs)
        self._line.settimeout(_START_S)
        try:
            self._hear()
        except Failed:
            self.end()
            raise

    @property
    def alive(self) -> bool:
        """Its end of the line is open: it closes with the process, however that ends."""
        return self._line.fileno() >= 0 and not _closed(self._line.fileno(), 0)

    def tell(self, message: Dict[str, Any], within_s: float = _ANSWER_S) -> Dict[str, Any]:
        """Its counts; raises `Failed` when it does not answer."""
        with self._lock:
            self._line.settimeout(within_s)
            try:
                self._line.send(json.dumps(message).encode())
            except OSError as error:
                raise Failed(f"the relay is gone: {error.strerror}") from None
            return self._hear()

    def wait(self) -> None:
        """Until it is dead."""
        with suppress(OSError):  # it was ended, and our end closed
            line = os.dup(self._line.fileno())
            _closed(line, None)
            os.close(line)

    def end(self) -> None:
        if not self._nursery.end(self.pid) and self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
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


def _closed(line: int, within_ms: Any) -> bool:
    """Has the other end of that socket closed?"""
    poll = select.poll()
    poll.register(line, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(within_ms))
