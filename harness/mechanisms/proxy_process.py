"""Starts a proxy's process, talks to it, and ends it.

A thread of ours starts it and waits for it: the proxy dies with its parent *thread*, and the thread
that was asked for the proxy may end long before. It also ends when our end of its socket closes.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, Tuple

from harness.agent.effects import Edge
from harness.agent.protocol import Failed

_ROOT = str(Path(__file__).absolute().parents[2])
_START = (
    "import sys; sys.path.insert(0, {!r})\n"
    "from harness.mechanisms.proxy_server import main; main(sys.argv[1:])"
)
_ANSWER_S = 5.0
_READY_S = 10.0
_END_S = 2.0


class ProxyError(Failed):
    """The proxy refused, failed, or is not there."""


class ProxyProcess:
    """A proxy on an edge. `closed`: how many open connections were ended for it."""

    def __init__(self, edge: Edge, table: str) -> None:
        self._talk = threading.Lock()
        self._control, theirs = socket.socketpair()
        argv = (edge.netns, table, str(edge.port), str(theirs.fileno()), *edge.upstreams)
        self._begun = threading.Event()
        self._keeper = threading.Thread(target=self._keep, args=(argv, theirs), daemon=True)
        self._keeper.start()
        self._lines = self._control.makefile("rb")
        self._begun.wait(_READY_S)
        try:
            ready = self._answer(_READY_S)
        except ProxyError:
            self.stop()
            raise
        self.port, self.closed = int(ready["port"]), int(ready["closed"])

    def _keep(self, argv: Tuple[str, ...], theirs: socket.socket) -> None:
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-c", _START.format(_ROOT), *argv],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
            self._begun.set()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._keeper.is_alive()

    def ask(self, within_s: float = _ANSWER_S, **request: Any) -> Dict[str, Any]:
        """Its answer. Raises `ProxyError` when it refuses, is gone, or does not answer in time."""
        with self._talk:
            try:
                self._control.settimeout(within_s)
                self._control.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise ProxyError(f"the proxy is gone: {error}") from None
            return self._answer(within_s)

    def _answer(self, within_s: float) -> Dict[str, Any]:
        self._control.settimeout(within_s)
        try:
            line = self._lines.readline()
        except OSError:
            self._process.kill()  # its answer would be taken for that to the next question
            raise ProxyError(f"the proxy did not answer within {within_s:g} s") from None
        if not line:
            raise ProxyError("the proxy is gone")
        answer: Dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProxyError(answer["error"])
        return answer

    def stop(self) -> None:
        """It closes its connections and ends; killed when it does not."""
        self._control.close()
        self._lines.close()
        self._keeper.join(_END_S)
        if self._keeper.is_alive():
            self._process.kill()
            self._keeper.join(_END_S)
