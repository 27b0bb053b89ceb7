"""Inside a world: starting a process on a host, and finding all processes of a replica.

A process of a *service* gets a user namespace of its own, where it is the ordinary user 1000: real
servers refuse to run as root. That namespace also tells the system's processes from ours on the
same host. Caveat: `start` forks, so its process must have one thread only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.agent.effects import Process, is_probe
from harness.mechanisms.namespaces import NEW_NET, NEW_USER, enter, identity, unshare

SERVICE_UID = 1000
_LISTEN = "0A"


@dataclass(frozen=True)
class Start:
    """What to start and where. `netns` is a descriptor of the host's network namespace."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    netns: int
    service: bool
    stdio: tuple[int, int, int]


def start(what: Start) -> int:
    """Fork and exec; the pid. Raises OSError when it cannot be executed."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(what, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as failures:
        failure = failures.read().decode()
    if failure:
        raise OSError(failure)
    return pid


def _become(what: Start, failures: int) -> None:
    """In the child, to its end: turn into the program, or say why not."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        for target, fd in enumerate(what.stdio):
            os.dup2(fd, target)
        enter(what.netns, NEW_NET)
        if what.service:
            _become_ordinary()
        os.chdir(what.cwd)
        os.execvpe(what.argv[0], list(what.argv), dict(what.env))  # noqa: S606  no shell is meant
    except BaseException as error:
        os.write(failures, f"{what.argv[0]}: {error}".encode())
    os._exit(127)


def _become_ordinary() -> None:
    unshare(NEW_USER)
    map_ids(SERVICE_UID, 0, 0)
    # a core file would stay behind in the system's directory
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def map_ids(inside: int, uid: int, gid: int) -> None:
    """In a new user namespace: be user and group `inside`, which are `uid` and `gid` outside."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inside} {gid} 1")


def of_replica(netns: str) -> tuple[Process, ...]:
    """All processes of the system on that host, zombies left out."""
    network, ours = identity(netns), identity("/proc/self/ns/user")
    pids = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = (_process(pid, network, ours) for pid in pids)
    return tuple(process for process in found if process is not None)


def _process(pid: str, network: int | None, ours: int | None) -> Process | None:
    if identity(f"/proc/{pid}/ns/net") != network or identity(f"/proc/{pid}/ns/user") == ours:
        return None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    command, _, rest = stat.partition("(")[2].rpartition(") ")
    fields = rest.split()
    return None if fields[0] in "ZX" else Process(int(pid), int(fields[19]), fields[0], command)


def signal_all(processes: Sequence[Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def callers(pid: int, port: int) -> int:
    """How many others have, or just had, a connection to that port; our own probes left out."""
    peers: set[str] = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
            peers.update(_peer(line, port) for line in lines)
    return len(peers - {""})


def _peer(line: str, port: int) -> str:
    local, peer, state = line.split()[1:4]
    ports = [int(end.rpartition(":")[2], 16) for end in (local, peer)]
    mine = ports[0] == port and state != _LISTEN
    return peer if mine and not is_probe(ports[1]) else ""
