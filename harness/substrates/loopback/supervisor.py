"""The first processes of a loopback world: a warden, and the supervisor that runs the loop.

Each ends the world alone, and the death of either or of the harness makes the other do it: the
warden is the parent of whatever the supervisor leaves when it is killed, keepers end their
replica's processes when the supervisor is gone, and processes of ours end with their parent
(PDEATHSIG). They lead sessions of their own, so that no signal to a group hits both.

stdin: the LoopbackSpec, one line, then kept open. stdout: one line, `{}` or `{"error": …}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from harness.mechanisms.namespaces import adopt_orphans
from harness.substrates.local import channel
from harness.substrates.local.loop import Loop
from harness.substrates.loopback.ground import Loopback
from harness.substrates.loopback.keeper import end_descendants
from harness.substrates.loopback.spec import LoopbackSpec, spec_from_json

#: What the supervisor has to end the world by itself.
_PATIENCE_S = 4.0


def main() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    spec = spec_from_json(_line(0))
    listener = channel.listen(spec.name)
    adopt_orphans()
    tie, held = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        os.close(held)
        _supervise(spec, listener, tie)
    listener.close()
    for fd in (1, tie):
        os.close(fd)
    sys.exit(_guard(spec, supervisor))


def _guard(spec: LoopbackSpec, supervisor: int) -> int:
    """Be the warden: wait for the end of the supervisor or the harness, then leave nothing."""
    ended = os.pidfd_open(supervisor)
    heard = select.select([0, ended], [], [])[0]
    if ended not in heard and not select.select([ended], [], [], _PATIENCE_S)[0]:
        os.kill(supervisor, signal.SIGKILL)
    status = os.waitpid(supervisor, 0)[1]
    _leave_nothing(spec)
    return abs(os.waitstatus_to_exitcode(status))


def _supervise(spec: LoopbackSpec, listener: socket.socket, tie: int) -> NoReturn:
    status = 1
    try:
        os.setsid()
        adopt_orphans()
        ground = Loopback(spec)
        loop = Loop(spec.commands, ground, listener, ends=(0, tie))
        _answer()
        loop.run()
        ground.close()
        status = 0
    except BaseException as error:
        traceback.print_exc()
        _answer(error=f"{type(error).__name__}: {error}")
    finally:
        try:
            _leave_nothing(spec)
        finally:
            os._exit(status)


def _leave_nothing(spec: LoopbackSpec) -> None:
    end_descendants()
    shutil.rmtree(spec.place, ignore_errors=True)


def _line(fd: int) -> str:
    """Not a byte more: the end of the pipe is both processes' to see."""
    read = b""
    while not read.endswith(b"\n"):
        more = os.read(fd, 1 << 16)
        if not more:
            sys.exit("the harness has ended")
        read += more
    return read.decode()


def _answer(**fields: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(fields).encode() + b"\n")


if __name__ == "__main__":
    Path("/proc/self/comm").write_text("harness-world")
    main()
