"""A line to a station, executed in its pod: `python -m harness.load.joining DIRECTORY`.

Carries bytes between its own stdin and stdout and the station's socket, until one side ends. The
standard library alone, since it has to be there at once.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from pathlib import Path

SOCKET = "station.sock"
_MOST = 1 << 20
_PATIENCE_S = 20.0


def main(directory: str) -> None:
    line = _connected(Path(directory) / SOCKET)
    pairs = {sys.stdin.fileno(): line.fileno(), line.fileno(): sys.stdout.fileno()}
    while True:
        for ready in select.select(list(pairs), [], [])[0]:
            data = os.read(ready, _MOST)
            if not data:
                return
            while data:
                data = data[os.write(pairs[ready], data) :]


def _connected(path: Path) -> socket.socket:
    """The station may still be coming up."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(str(path))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return line


if __name__ == "__main__":
    main(sys.argv[1])
