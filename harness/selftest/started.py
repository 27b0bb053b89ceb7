"""Processes of the small system that a run finds already there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.agent.effects import Process
from harness.mechanisms.processes import everybody

TINY = (sys.executable, "-P", "-S", str(Path(__file__).with_name("tiny.py")))


@contextlib.contextmanager
def started(*words: str) -> Iterator[tuple[Process, int]]:
    """`tiny.py WORDS…` for as long as the block, and no longer than we live; the port that it
    listens on."""
    tied = [sys.executable, "-P", "-m", "harness.substrates.attached.tied", str(os.getpid())]
    argv = [*tied, *TINY, *words]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
    assert server.stdout
    try:
        port = int(server.stdout.readline())
        yield next(c.process for c in everybody() if c.process.pid == server.pid), port
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
