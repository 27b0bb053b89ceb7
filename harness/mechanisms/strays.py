"""Relays that stand somewhere though nobody holds them: their owner was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Callable, FrozenSet, Iterable

from harness.agent.protocol import Failed

_GONE_S = 2.0


def sweep(
    target: str, found: Callable[[], Iterable[str]], foreign: FrozenSet[str],
    pid_of: Callable[[str], int], module: str,
) -> None:  # fmt: skip
    """End the relays whose things are `found` there, but for `foreign` ones, and wait until these
    are gone. Does nothing that is done already."""
    end = time.monotonic() + _GONE_S
    while left := [name for name in found() if name not in foreign]:
        for name in left:
            if _is(module, pid_of(name)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid_of(name), signal.SIGKILL)
        if time.monotonic() > end:
            raise Failed(f"{target}: {', '.join(left)} is still there, and its process is not")
        time.sleep(0.005)


def _is(module: str, pid: int) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return f"harness.mechanisms.{module}".encode() in line
