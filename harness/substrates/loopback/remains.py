"""The last net: what of a loopback world is left when all of its guards were killed at one moment.

Its processes are known by a variable of their environment, its directory by a note in the run
directory that was written before the world was made.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

from harness.agent.effects import Process
from harness.mechanisms.processes import every, family, send
from harness.substrates.loopback.layout import MAINS, WORLD
from harness.substrates.loopback.shared_memory import free

_NOTE = "world.json"
_ENDS_S = 2.0


def note(directory: Path, name: str, place: Path) -> None:
    """Which world this run has, on disk before there is one."""
    draft = directory / f".{_NOTE}.new"
    with draft.open("w") as file:
        json.dump({"name": name, "place": str(place)}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(directory / _NOTE)


def end(directory: Path) -> tuple[str, ...]:
    """End what is left of the run's world; what could not be ended, in words."""
    try:
        noted = json.loads((directory / _NOTE).read_text())
    except FileNotFoundError:
        return ()
    until, killed = time.monotonic() + _ENDS_S, set()
    while (left := _members(noted["name"])) and time.monotonic() < until:
        for process in left:
            send(process, signal.SIGKILL)
            killed.add(process.pid)
        time.sleep(0.02)
    free(killed | _dead(Path(noted["place"], MAINS)))
    shutil.rmtree(noted["place"], ignore_errors=True)
    return tuple(f"process {process.pid} ({process.command}) does not end" for process in left)


def _dead(mains: Path) -> set[int]:
    """Main processes of the world that ended with nobody to tidy up after them."""
    with contextlib.suppress(OSError):
        return {pid for pid in map(int, mains.read_text().split()) if not family(pid)}
    return set()


def _members(world: str) -> list[Process]:
    return [process for process in every() if _belongs(process.pid, world)]


def _belongs(pid: int, world: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{WORLD}={world}".encode() in environment.split(b"\0")
