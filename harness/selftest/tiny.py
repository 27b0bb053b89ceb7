"""The smallest system: `server PORT MARK` answers lines over TCP, `asker PORT MARK HOST PORT` asks.

A server leaves everything behind that servers do (shared memory, files, sockets), all by the name
MARK, where it lives in a world; without one it leaves nothing. Caveat: imports little, because
every shot starts three of these.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import socket
import sys
import time

_EVERY_S = 0.05
_TIMEOUT_S = 0.5
_CREATE = 0o1666


def main(role: str, port: str, mark: str, *peer: str) -> None:
    listener = socket.create_server(("", int(port)), backlog=64)
    print(listener.getsockname()[1], flush=True)
    if role == "asker":
        _thread.start_new_thread(_ask, (peer[0], int(peer[1])))
    elif mark:
        _litter(mark)
    while True:
        _thread.start_new_thread(_answer, (listener.accept()[0],))


def _answer(line: socket.socket) -> None:
    with line, contextlib.suppress(OSError):
        while data := line.recv(4096):
            line.sendall(data)


def _ask(host: str, port: int) -> None:
    """For ever, over connections that are kept while they work."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), _TIMEOUT_S) as to:
            to.sendall(b"?\n")
            while to.recv(4096):
                time.sleep(_EVERY_S)
                to.sendall(b"?\n")
        time.sleep(_EVERY_S)


def _litter(mark: str) -> None:
    import ctypes

    ctypes.CDLL(None).shmget(int(mark, 16), 4096, _CREATE)
    own = os.environ.get("TMPDIR", "")  # where there is a directory of ours, nothing else is
    for place in (own,) if own else ("/dev/shm", "/tmp"):  # noqa: S108  of the world
        with open(f"{place}/{mark}", "w"):  # noqa: PTH123  pathlib takes 10 ms
            pass
    kept = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(OSError):  # another replica has it, where both are in one network
        kept.bind(f"\0{mark}")
        kept.listen()
        _thread.start_new_thread(kept.accept, ())
    if os.fork() == 0:
        os.setsid()
        while True:
            time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
