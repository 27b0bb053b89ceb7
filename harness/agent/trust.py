"""What the agent tells its reaper, so that the reaper can take back alone.

One packet a message over a socket pair: `entrust` a receipt (acknowledged before anything is
changed), `drop` it once it was taken back, `renew` the lease. The reaper needs no answer to the
last two: a receipt that was dropped too late is taken back twice, which does no harm.
"""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass
from typing import Any

from harness.agent.effects import Resource, Snapshot, encode
from harness.agent.protocol import Failed

ACKNOWLEDGED = b"ok"
LARGEST = 1 << 17
_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Receipt:
    """All that taking back needs; `id` is the journal's name for it."""

    id: str
    resource: Resource
    snapshot: Snapshot


class Trustee:
    """The agent's end of the line to its reaper."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(_TIMEOUT_S)
        self._lock = threading.Lock()

    def entrust(self, receipt: Receipt) -> None:
        """Returns once the reaper has it; raises `Failed` when there is no reaper."""
        fields = {
            "receipt": receipt.id,
            "resource": encode(receipt.resource),
            "snapshot": encode(receipt.snapshot),
        }
        try:
            with self._lock:
                self._send("entrust", fields)
                answer = self._line.recv(16)
        except OSError as error:
            raise Failed(f"no reaper, so nothing is changed: {error}") from None
        if answer != ACKNOWLEDGED:
            raise Failed("no reaper, so nothing is changed")

    def drop(self, resource: Resource) -> None:
        self._tell("drop", {"resource": encode(resource)})

    def renew(self, until_s: float) -> None:
        self._tell("renew", {"until": until_s})

    def _tell(self, what: str, fields: Any) -> None:
        try:
            with self._lock:
                self._send(what, fields)
        except OSError:
            return  # the reading loop sees that the reaper is gone, and takes everything back

    def _send(self, what: str, fields: Any) -> None:
        self._line.send(json.dumps({"what": what, **fields}).encode())
