"""A keeper: a process between the supervisor and one replica's main process.

What a replica starts stays its keeper's descendant, whatever session it moves to, so its processes
are known without any namespace. The keeper ends with the main process, as that did, and ends
whatever is left before; it ends all of it when it is told to, or when the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from harness.agent.effects import Process
from harness.mechanisms.namespaces import adopt_orphans, die_with_parent
from harness.mechanisms.processes import family, send
from harness.substrates.local.ground import Start
from harness.substrates.local.processes import become, ended_children, forked
from harness.substrates.loopback.shared_memory import free

#: What services have to end by themselves when a world ends.
GRACE_S = 1.5
_TICK_S = 0.02
_SWEEP_S = 2.0
_HEARD = {signal.SIGTERM, signal.SIGCHLD}
_DEAF = {*_HEARD, signal.SIGINT, signal.SIGHUP}
_MOST_DESCRIPTORS = 1 << 16


def start_kept(what: Start, settle: Callable[[], None]) -> int:
    """The keeper's pid. Raises OSError when the program cannot be executed."""
    parent = os.getpid()
    return forked(lambda failures: _keep(what, settle, failures, parent))


def end_descendants(within_s: float = _SWEEP_S) -> None:
    """Kill all that descends from us, and free the shared memory that it leaves."""
    until, dead = time.monotonic() + within_s, set()
    while (left := descendants()) and time.monotonic() < until:
        for process in left:
            send(process, signal.SIGKILL)
            dead.add(process.pid)
        dead |= {pid for pid, _ in ended_children()}
        time.sleep(_TICK_S / 4)
    free(dead)


def descendants() -> list[Process]:
    return family(os.getpid())[1:]


def _keep(what: Start, settle: Callable[[], None], failures: int, parent: int) -> NoReturn:
    status = 1 << 8
    try:
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF)
        os.setsid()
        adopt_orphans()
        die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
        main = os.fork()
        if main == 0:
            become(what, lambda: _settle(settle), failures)
        os.closerange(3, _MOST_DESCRIPTORS)
        status = _until_over(main)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            end_descendants()
        finally:  # whatever happens, this is no second supervisor
            _end_like(status)


def _settle(settle: Callable[[], None]) -> None:
    """The main process ends with its keeper, which a change of user would make it forget."""
    keeper = os.getppid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    settle()
    die_with_parent()
    if os.getppid() != keeper:
        raise ProcessLookupError("its keeper has ended")


def _until_over(main: int) -> int:
    """How the main process ended."""
    kill_at, ended = math.inf, set()
    while True:
        heard = signal.sigtimedwait(_HEARD, 3600.0 if kill_at == math.inf else _TICK_S)
        if heard and heard.si_signo == signal.SIGTERM and kill_at == math.inf:
            kill_at = time.monotonic() + GRACE_S
            for process in descendants():
                send(process, signal.SIGTERM)
        for pid, status in ended_children():
            ended.add(pid)
            if pid == main:
                free(ended)
                return status
        if time.monotonic() >= kill_at:
            end_descendants()
            return int(signal.SIGKILL)


def _end_like(status: int) -> NoReturn:
    """So that whoever waits for us hears how the main process ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
