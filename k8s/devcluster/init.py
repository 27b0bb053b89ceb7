"""PID 1 of a node: its root, its configuration, and a supervisor of its services.

What dies is started again, unless /run/devcluster/NAME.off exists; SIGHUP makes it look at once.
When this process is killed the kernel kills all others of the node: that is a power cut.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from devcluster import layout as layouts
from devcluster import node_files, root, services
from devcluster.shell import run, write

RUN = Path("/run/devcluster")
_AGAIN_S = 1.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WAKES = {signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM}


class Supervisor:
    """Keeps each command running."""

    def __init__(self, commands: dict[str, list[str]]) -> None:
        self._commands = commands
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._not_before = dict.fromkeys(commands, 0.0)

    def watch(self) -> None:
        """Until SIGTERM."""
        while True:
            self._settle()
            woken = signal.sigtimedwait(_WAKES, 0.5)
            if woken and woken.si_signo == signal.SIGTERM:
                return

    def _settle(self) -> None:
        for name, process in list(self._running.items()):
            if _off(name):
                process.kill()
                process.wait()
            if process.poll() is not None:
                self._ended(name, process.returncode)
        self._reap_orphans()
        for name in self._commands:
            if name not in self._running and not _off(name) and self._is_due(name):
                self._start(name)

    def _is_due(self, name: str) -> bool:
        return time.monotonic() >= self._not_before[name]

    def _start(self, name: str) -> None:
        _say(f"start {name}")
        command = self._commands[name]
        with Path(f"/var/log/{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [name, *command[1:]], executable=_found(command[0]), env=_environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_unblock,
            )  # fmt: skip
        write(RUN / f"{name}.pid", str(self._running[name].pid))

    def _ended(self, name: str, code: int) -> None:
        _say(f"{name} ended with {code}")
        del self._running[name]
        (RUN / f"{name}.pid").unlink(missing_ok=True)
        self._not_before[name] = 0.0 if _off(name) else time.monotonic() + _AGAIN_S

    def _reap_orphans(self) -> None:
        """Children that are not ours: their parents died, and PID 1 inherits."""
        ours = {process.pid for process in self._running.values()}
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


def main(name: str, node: str) -> None:
    layout = layouts.load(name)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAKES)
    root.enter(layout, node)
    os.environ["PATH"] = _PATH
    node_files.write_all(layout, node)
    if node != layouts.CONTROL_PLANE:
        run("iptables", "-P", "FORWARD", "ACCEPT")
    Supervisor(services.of(layout, node)).watch()


def _off(name: str) -> bool:
    return (RUN / f"{name}.off").exists()


def _found(program: str) -> str:
    places = (Path(folder) / program for folder in _PATH.split(":"))
    return program if "/" in program else next(str(p) for p in places if p.exists())


def _environment() -> dict[str, str]:
    """Earlier garbage collection: a cluster on two cores has little memory to itself."""
    return {"PATH": _PATH, "HOME": "/root", "GOGC": "75"}


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _say(words: str) -> None:
    print(time.strftime("%T"), words, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
