"""The first process of a world, and the way to it: `python -m harness.substrates.local.supervisor`.

Stage 0 enters new user, mount, pid, network and IPC namespaces and forks the world's first process;
all others are its descendants in a pid namespace that ends with it. It ends when the harness does:
its standard input is the harness's pipe (end of file), stage 0 is tied to the harness's thread and
it to stage 0 by PDEATHSIG, and by a pipe for the moment before that is set.

stdin: the WorldSpec, one line, then kept open. stdout: one line, `{}` or `{"error": …}`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

from harness.mechanisms.namespaces import (
    NEW_IPC,
    NEW_NET,
    NEW_NS,
    NEW_PID,
    NEW_USER,
    die_with_parent,
    unshare,
)
from harness.substrates.local import channel, mounts, network
from harness.substrates.local.loop import Loop
from harness.substrates.local.processes import Namespaces, map_ids
from harness.substrates.local.spec import WorldSpec, spec_from_json


def main() -> None:
    die_with_parent()
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the harness has ended")
    spec = spec_from_json(sys.stdin.readline())
    listener = channel.listen(spec.name)
    try:
        _enter_new_namespaces()
    except OSError as error:
        _answer(error=f"namespaces are refused here: {error}")
        sys.exit(1)
    sys.exit(_stage_0(spec, listener))


def _enter_new_namespaces() -> None:
    uid, gid = os.getuid(), os.getgid()
    unshare(NEW_USER | NEW_NS | NEW_PID | NEW_NET | NEW_IPC)
    map_ids(0, uid, gid)
    die_with_parent()  # a change of credentials may have cleared it


def _stage_0(spec: WorldSpec, listener: socket.socket) -> int:
    """Fork the first process and wait for it; its exit status."""
    tie, held = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(held)
        _first_process(spec, listener, tie)
    listener.close()
    for fd in (0, 1, tie):
        os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _first_process(spec: WorldSpec, listener: socket.socket, tie: int) -> None:
    status = 1
    try:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        mounts.build(spec)
        ground = Namespaces(network.build(spec.hosts))
        loop = Loop(spec.commands, ground, listener, ends=(0, tie))
        _answer()
        loop.run()
        status = 0
    except BaseException as error:
        traceback.print_exc()
        _answer(error=f"{type(error).__name__}: {error}")
    finally:
        os._exit(status)


def _answer(**fields: str) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")


if __name__ == "__main__":
    Path("/proc/self/comm").write_text("harness-world")
    main()
