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
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from harness.agent.effects import Process, is_probe
from harness.mechanisms.namespaces import NEW_NET, NEW_USER, enter, identity, unshare
from harness.substrates.local.ground import Start
from harness.substrates.local.spec import DATA, NETNS

SERVICE_UID = 1000
_LISTEN = "0A"


class Namespaces:
    """The ground of a local world: a network namespace for each host, by descriptor."""

    def __init__(self, netns: Mapping[str, int]) -> None:
        self._netns = netns
        self.hosts = tuple(netns)

    def start(self, what: Start) -> int:
        return start(what, lambda: self._settle(what))

    def start_replica(self, what: Start) -> int:
        Path(DATA, what.host).mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.start(what)

    def processes(self, replica: str) -> tuple[Process, ...]:
        return of_replica(f"{NETNS}/{replica}")

    def socket(self, host: str) -> socket.socket:
        enter(self._netns[host], NEW_NET)
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            enter(self._netns[""], NEW_NET)

    def ended(self, pid: int) -> str:
        return ""  # an orphan that came to the world's first process

    def tend(self, known: Collection[int]) -> None:
        """Orphans belong to their host, which tells whose they are."""

    def _settle(self, what: Start) -> None:
        enter(self._netns[what.host], NEW_NET)
        if what.service:
            unshare(NEW_USER)
            map_ids(SERVICE_UID, 0, 0)


def start(what: Start, settle: Callable[[], None]) -> int:
    """Fork and exec; the pid. `settle` is called in the child. Raises OSError when it cannot be
    executed."""
    return forked(lambda failures: become(what, settle, failures))


def forked(child: Callable[[int], NoReturn]) -> int:
    """The pid of a child that does this, once it has closed the descriptor that it is given. Raises
    OSError with what it wrote there."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as failures:
        failure = failures.read().decode()
    if failure:
        raise OSError(failure)
    return pid


def become(what: Start, settle: Callable[[], None], failures: int) -> NoReturn:
    """In the child, to its end: turn into the program, or say why not."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        for target, fd in enumerate(what.stdio):
            os.dup2(fd, target)
        if what.service:  # a core file would stay behind in the system's directory
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        settle()
        os.chdir(what.cwd)
        os.execvpe(what.argv[0], list(what.argv), dict(what.env))  # noqa: S606  no shell is meant
    except BaseException as error:
        os.write(failures, f"{what.argv[0]}: {error}".encode())
    os._exit(127)


def ended_children() -> Iterator[tuple[int, int]]:
    """Pid and status of each that has ended and was not waited for."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found


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
