"""Starts relays in milliseconds: a process that has imported everything forks one when asked.

A fresh Python needs some 0.4 s until a relay is ready, and thirty of them on two cores need 10 s.
The nursery is started before the first is needed, and ends with its owner, at the end of its
socket. A relay that ties itself to its parent ends with the nursery, and so with whoever owns that.
Each has its module and places as its command line, as if it had been started by itself.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Set

import harness
from harness.agent.protocol import Failed

_MODULES = tuple(f"harness.mechanisms.{rung}_relay" for rung in ("wire", "tap", "queue"))
_START_S = 10.0
_LARGEST = 1 << 14
#: Room for the command lines of relays.
_ROOM = "." * 160


class Nursery:
    """The owner's side. Safe to call from several threads."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(_START_S)
        self._lock = threading.Lock()
        root = str(Path(harness.__file__).parent.parent)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-m", __name__, str(theirs.fileno()), _ROOM],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": root},
            )  # fmt: skip

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def bear(self, module: str, arguments: Sequence[str], control: socket.socket) -> int:
        """The pid of a process in `main` of that module, which gets the arguments and, in the place
        of `{}`, the number of the descriptor. Raises `Failed`."""
        asked = json.dumps({"module": module, "arguments": arguments}).encode()
        return int(self._ask(asked, [control.fileno()])["pid"])

    def end(self, pid: int) -> bool:
        """Kill it, if it is still there, and wait until it is gone; False when nobody could."""
        try:
            self._ask(json.dumps({"end": pid}).encode())
        except Failed:
            return False
        return True

    def _ask(self, asked: bytes, descriptors: Sequence[int] = ()) -> Dict[str, Any]:
        with self._lock:
            try:
                socket.send_fds(self._line, [asked], list(descriptors))
                packet = self._line.recv(_LARGEST)
            except OSError as error:
                raise Failed(f"no process can be started: {error}") from None
        if not packet:
            raise Failed("no process can be started: who starts them has died")
        answer: Dict[str, Any] = json.loads(packet)
        return answer


_one: Optional[Nursery] = None
_guard = threading.Lock()


def nursery() -> Nursery:
    """The one of this process: begun when it is first asked for, and ready some time later."""
    global _one  # noqa: PLW0603
    with _guard:
        if _one is None or not _one.alive:
            _one = Nursery()
        return _one


# ---------------------------------------------------------------- the nursery itself


def main(fd: str) -> None:
    line = socket.socket(fileno=int(fd))
    for module in _MODULES:
        if not select.select([line], [], [], 0)[0]:  # whoever asks already waits for one alone
            importlib.import_module(module)
    gc.freeze()  # what is shared with children stays shared
    children: Set[int] = set()
    while True:
        packet, descriptors, _, _ = socket.recv_fds(line, _LARGEST, 1)
        if not packet:
            return
        asked = json.loads(packet)
        if "end" in asked:
            _end(asked["end"], children)
            line.send(b"{}")
            continue
        importlib.import_module(asked["module"])
        pid = os.fork()
        if not pid:
            line.close()
            _be(asked["module"], asked["arguments"], descriptors[0])
        os.close(descriptors[0])
        children.add(pid)
        with suppress(OSError):  # the owner has died meanwhile, and the next line is the last
            line.send(json.dumps({"pid": pid}).encode())


def _end(pid: int, children: Set[int]) -> None:
    """Its number is nobody else's until it was waited for, and only we do that."""
    if pid in children:
        children.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _be(module: str, arguments: Sequence[str], control: int) -> None:
    status = 1
    try:
        filled = [each.format(control) for each in arguments]
        with suppress(OSError, ValueError):
            _rename([sys.executable, "-m", module, *filled])
        importlib.import_module(module).main(*filled)
        status = 0
    except BrokenPipeError:  # whoever wanted it has died
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _rename(argv: Sequence[str]) -> None:
    """Others read it in /proc/PID/cmdline: it is written over our own, as far as it has room."""
    stat = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()
    begin, end = int(stat[45]), int(stat[46])
    line = "\0".join(argv).encode()[: end - begin - 1]
    ctypes.memmove(begin, line.ljust(end - begin, b"\0"), end - begin)


if __name__ == "__main__":
    main(sys.argv[1])
