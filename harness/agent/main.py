"""`python -m harness.agent.main --lease 5`: two processes, one that acts and one that takes back.

The process that is started becomes the reaper; it forks the agent, which answers requests on
stdin and stdout. Caveat: neither ends on SIGINT, SIGTERM or SIGHUP of the reaper: the end of
stdin ends both, everything taken back, and the last words are the reaper's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterator, List, Optional, Tuple, Type

from harness.agent import button
from harness.agent.ladder import LADDER, Ladder
from harness.agent.outside import move_out
from harness.agent.protocol import (
    FAREWELL,
    Answer,
    Malformed,
    Request,
    failure_of,
    line_of,
    request_of,
)
from harness.agent.reaper import Reaper
from harness.agent.service import Service
from harness.agent.stepping import LISTENER
from harness.agent.trust import Trustee
from harness.mechanisms import pods
from harness.mechanisms.namespaces import adopt_orphans

_TICK_S = 0.1
_SILENCE_S = 8.0
#: Looks at thirty targets may all be under way, and a revert must never wait behind them.
_THREADS = 160
_LEFT_BEHIND = 5


#: As `ladder.LADDER`: an agent that stays on this machine may have more than the one that travels.
Rungs = Dict[Type[Any], Tuple[str, ...]]


def main(arguments: Optional[List[str]] = None, ladder: Rungs = LADDER) -> int:
    parser = argparse.ArgumentParser(description="Carries out effects, on a lease.")
    parser.add_argument("--lease", type=float, default=5.0, help="seconds (default: 5)")
    parser.add_argument("--in-pod", action="store_true", help="the reaper outlives the container")
    parser.add_argument("--inside", action="store_true", help="it lives in the pod of its targets")
    parser.add_argument(
        "--steps", metavar="SOCKET", help="of a selftest that holds us at our steps"
    )
    parser.add_argument("--halted-by", action="append", default=[], metavar="NAMESPACE")
    options = parser.parse_args(arguments)
    if options.steps:
        os.environ[LISTENER] = options.steps
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # it leads a session already
        os.setsid()
    adopt_orphans()
    pods.inside = options.inside
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        ours.close()
        serve(theirs, options.lease, ladder, tuple(options.halted_by))
    theirs.close()
    if options.in_pod:
        move_out()
    return reap(ours, child, ladder)


def reap(line: socket.socket, agent: int, ladder: Rungs) -> int:
    """Be the reaper: watch, take back, say so."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # stdin is the agent's alone
    reaper = Reaper(Ladder(ladder), line, agent)
    reaper.watch()
    entrusted = reaper.entrusted
    left = reaper.take_back()
    with contextlib.suppress(OSError):
        os.write(1, line_of(Answer(FAREWELL, {"taken_back": entrusted, "left_behind": left})))
    return _LEFT_BEHIND if left else 0


def serve(
    line: socket.socket, lease_s: float, ladder: Rungs, halted_by: Tuple[str, ...] = ()
) -> None:
    """Be the agent until stdin ends; never returns."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    status = 1
    try:
        service = Service(Ladder(ladder), Trustee(line), lease_s)
        button.watch(halted_by, service.halt)
        answers(service, os.getppid())
        status = _LEFT_BEHIND if service.close("its client has gone") else 0
    finally:
        # Threads of the pool may still be measuring; waiting for them would only delay the end.
        sys.stderr.flush()
        os._exit(status)


def answers(service: Service, reaper: int) -> None:
    """Answer every line of stdin, each in a thread of the pool, until it ends. A lease is
    renewed at once: that must not wait for a thread."""
    pool = ThreadPoolExecutor(_THREADS)
    lock = threading.Lock()

    def answer(request: Request) -> None:
        try:
            said = Answer(request.id, service.carry_out(request))
        except Exception as error:
            said = failure_of(request.id, error)
        with lock:
            _write(line_of(said))

    for requests in _heard(service, reaper):
        for request in requests:
            if request.op == "renew":
                answer(request)
        service.expire_when_due()  # only now: who had no time to listen was not told too late
        for request in requests:
            if request.op != "renew":
                pool.submit(answer, request)


def _heard(service: Service, reaper: int) -> Iterator[List[Request]]:
    """All that has come over stdin, and often nothing, until it ends. Silence after the end of the
    lease is an end of stdin that does not come: so it is when a cable was pulled."""
    rest, heard = b"", time.monotonic()
    while not (service.over and time.monotonic() > heard + _SILENCE_S):
        if select.select([0], [], [], _TICK_S)[0]:
            read, heard = os.read(0, 1 << 16), time.monotonic()
            if not read:
                return
            lines, rest = _split(rest + read)
            yield list(_requests(lines))
        else:
            yield []
        if os.getppid() != reaper:
            service.close("its reaper is gone")


def _requests(lines: List[bytes]) -> Iterator[Request]:
    for line in lines:
        try:
            yield request_of(line)
        except Malformed as error:
            sys.stderr.write(f"{error}\n")


def _split(data: bytes) -> Tuple[List[bytes], bytes]:
    *lines, rest = data.split(b"\n")
    return lines, rest


def _write(data: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody listens: stdin ends, too
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    sys.exit(main())
