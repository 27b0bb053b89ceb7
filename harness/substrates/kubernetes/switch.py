"""Switches a node on again when the harness did not: `switch COMMAND…`, with its stdin held open.

A line on stdin says that it is done; the end of stdin without one means that the harness is gone.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

_TRIES, _PAUSE_S, _EACH_S = 5, 2.0, 60.0


def main(command: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.readline():
        return 0
    for _ in range(_TRIES):
        try:
            if subprocess.run(command, check=False, timeout=_EACH_S).returncode == 0:
                return 0
        except (OSError, subprocess.TimeoutExpired):
            pass
        time.sleep(_PAUSE_S)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
