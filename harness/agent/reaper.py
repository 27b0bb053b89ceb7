"""The agent's other half: it changes nothing, and takes everything back when the agent dies.

It holds the receipts of all that is changed now. The agent's death ends its watch, and so does an
agent that hangs or was stopped beyond its lease: that one is killed first. Being the subreaper of
the agent's children, it also ends what those leave running. Caveat: it is a process too; what
nobody can survive (the end of the world's PID 1) takes the changes along with it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import Dict, List, Tuple

from harness.agent.effects import Resource, Snapshot, decode
from harness.agent.ladder import Ladder
from harness.agent.stepping import step
from harness.agent.trust import ACKNOWLEDGED, LARGEST
from harness.mechanisms.pods import located

#: How much longer than the agent the reaper waits, so that an agent in good health comes first.
MARGIN_S = 0.5
_TICK_S = 0.1
_TRIES = 3
_AFTERLIFE_S = 2.0


class Reaper:
    def __init__(self, ladder: Ladder, line: socket.socket, agent: int) -> None:
        self._ladder = ladder
        self._line = line
        self._agent = agent
        self._receipts: Dict[Resource, Snapshot] = {}
        self._until = 0.0

    def watch(self) -> None:
        """Until the agent is dead."""
        while self._alive():
            if select.select([self._line], [], [], _TICK_S)[0]:
                self._hear()
            if self._receipts and 0 < self._until + MARGIN_S < time.monotonic():
                self._kill()

    def take_back(self) -> Tuple[str, ...]:
        """Everything that is still entrusted, the last first; what could not be, in words."""
        left = [self._give_back(r, s) for r, s in reversed(list(self._receipts.items()))]
        end_children()
        return tuple(filter(None, left))

    @property
    def entrusted(self) -> Tuple[str, ...]:
        return tuple(resource.target for resource in self._receipts)

    # ------------------------------------------------------------ helpers

    def _hear(self) -> None:
        try:
            packet = self._line.recv(LARGEST)
        except OSError:
            packet = b""
        if not packet:
            time.sleep(_TICK_S)  # the line is closed, so it is about to be dead
            return
        message = json.loads(packet)
        if message["what"] == "entrust":
            self._receipts[decode(message["resource"])] = decode(message["snapshot"])
            self._line.send(ACKNOWLEDGED)
        elif message["what"] == "drop":
            self._receipts.pop(decode(message["resource"]), None)
        else:
            self._until = float(message["until"])

    def _alive(self) -> bool:
        """False once it is dead and everything that it still said was heard."""
        if not self._agent:
            return False
        if os.waitpid(self._agent, os.WNOHANG)[0]:
            self._agent = 0
            self._hear_the_rest()
        return bool(self._agent)

    def _hear_the_rest(self) -> None:
        self._line.setblocking(False)
        while select.select([self._line], [], [], 0)[0] and self._line.recv(1, socket.MSG_PEEK):
            self._hear()

    def _kill(self) -> None:
        if self._agent:
            os.kill(self._agent, signal.SIGKILL)
            os.waitpid(self._agent, 0)
            self._agent = 0
            self._hear_the_rest()

    def _give_back(self, resource: Resource, snapshot: Snapshot) -> str:
        for attempt in range(_TRIES):
            try:
                mechanism = self._ladder.named(resource, snapshot.mechanism)
                mechanism.make(located(resource), snapshot, ())
            except Exception as error:
                reason = f"{resource.target}: {error}"
                if getattr(error, "target_gone", False):
                    return ""
                time.sleep(0.1 * (attempt + 1))
            else:
                step(f"reaper took back {resource.target}")
                return ""
        return reason


def end_children() -> None:
    """Kill what the agent left running: orphans that became ours."""
    end = time.monotonic() + _AFTERLIFE_S
    while time.monotonic() < end:
        for child in _children():
            os.kill(child, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
        except ChildProcessError:
            return


def _children() -> List[int]:
    pid = os.getpid()
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if path.exists():
        return [int(child) for child in path.read_text().split()]
    return [child for child in _processes() if _parent(child) == pid]


def _processes() -> List[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
