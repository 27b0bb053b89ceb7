"""A process in a world is asked for its end by several threads: the load's, and the run's own."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness.substrates.local import channel
from harness.substrates.local.process import WorldChild


def poll_until_it_ends(child: WorldChild, together: threading.Barrier) -> int | None:
    together.wait(10)
    deadline = time.monotonic() + 10
    while (status := child.poll()) is None and time.monotonic() < deadline:
        pass
    return status


def test_threads_may_ask_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        for exited in range(200):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            child, together = WorldChild(ours, 1), threading.Barrier(4)
            asked = [pool.submit(poll_until_it_ends, child, together) for _ in range(4)]
            with theirs:
                channel.send(theirs, {"exited": exited})
                assert [answer.result(20) for answer in asked] == [exited] * 4


def test_a_look_does_not_wait_for_another_threads_wait() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = WorldChild(ours, 1)
    with theirs, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(child.wait, 30.0)
        time.sleep(0.1)
        begun = time.monotonic()
        assert child.poll() is None
        assert time.monotonic() - begun < 5
        channel.send(theirs, {"exited": 3})
        assert waiting.result(20) == 3
    assert child.poll() == 3
