"""Stopping and killing real processes in real namespaces; seen by /proc and by their callers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_world import SmallWorld, in_world, until

from harness.agent.effects import InForce, Kill, Processes, Restart, Snapshot, Stopped
from harness.agent.protocol import Failed, TargetGone
from harness.mechanisms.callers import connected as connected_to
from harness.mechanisms.processes import find
from harness.mechanisms.signals import Signals

PORT = 7000
PAUSE = InForce("pause", Stopped(), 0.0)
#: A server that echoes, with a child, and one more child every 50 ms.
SERVER = """
import os, socket, threading, time
def spawn():
    while True:
        pid = os.fork()
        if pid == 0:
            time.sleep(20)
            os._exit(0)
        time.sleep(0.05)
def echo(c):
    while data := c.recv(100):
        c.sendall(data)
listener = socket.create_server(("", 7000))
if os.environ.get("SPAWN"):
    threading.Thread(target=spawn, daemon=True).start()
while True:
    c, _ = listener.accept()
    threading.Thread(target=echo, args=(c,), daemon=True).start()
"""


def target_of(world: SmallWorld) -> Processes:
    return Processes("server", world.netns("server"), ports=(PORT,))


def connected(world: SmallWorld) -> socket.socket:
    found: list[socket.socket] = []

    def tried() -> bool:
        try:
            found.append(world.connect("client", "server", PORT, timeout=1))
        except OSError:
            return False
        return True

    assert until(tried)
    return found[0]


def states(pids: list[int]) -> set[str]:
    return {Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] for pid in pids}


@in_world("client", "server")
def test_a_pause_stops_everybody_newcomers_too_and_is_taken_back(world: SmallWorld) -> None:
    os.environ["SPAWN"] = "1"
    world.start("server", sys.executable, "-c", SERVER)
    caller, signals, target = connected(world), Signals(), target_of(world)
    assert signals.works() == ""
    caller.sendall(b"x")
    assert caller.recv(1) == b"x"
    snapshot = signals.snapshot(target)
    assert snapshot == Snapshot("signals", {"stopped": ""})
    signals.make(target, snapshot, (PAUSE,))
    pids = [process.pid for process in find(target)]
    assert len(pids) > 1
    assert states(pids) == {"T"}
    time.sleep(0.3)
    assert signals.exercised(target, "pause").count == 0, "nobody asked for anything"
    caller.sendall(b"y")
    with pytest.raises(TimeoutError):
        caller.recv(1)
    late = world.start("server", "sleep", "20")
    assert until(lambda: states([late.pid]) == {"T"})
    seen = signals.measure(target, Stopped(), 0.2)
    assert {process.state for process in seen.alive} == {"T"}
    assert len(seen.alive) > len(pids)
    assert signals.exercised(target, "pause").count == 1
    signals.make(target, snapshot, ())
    assert caller.recv(1) == b"y"
    assert "T" not in states([late.pid, *pids])
    assert signals.snapshot(target) == snapshot


@in_world("client", "server")
def test_what_was_stopped_before_stays_stopped(world: SmallWorld) -> None:
    stopped = world.start("server", "sleep", "20", nested=True)
    world.start("server", "sleep", "20")
    signals, target = Signals(), target_of(world)
    assert until(lambda: len(find(target)) == 2)
    os.kill(stopped.pid, signal.SIGSTOP)
    assert until(lambda: states([stopped.pid]) == {"T"})
    snapshot = signals.snapshot(target)
    signals.make(target, snapshot, (PAUSE,))
    fresh = Signals()  # as the reaper has it: the agent's ticker died with the agent
    signals._holds.pop(target).over.set()
    fresh.make(target, snapshot, ())
    assert fresh.snapshot(target) == snapshot
    assert states([stopped.pid]) == {"T"}


@in_world("client", "server")
def test_a_kill_kills_all_and_leaves_newcomers_alone(world: SmallWorld) -> None:
    os.environ["SPAWN"] = "1"
    server = world.start("server", sys.executable, "-c", SERVER)
    callers, signals, target = [connected(world) for _ in range(3)], Signals(), target_of(world)
    before = signals.measure(target, Kill(), 0.1)
    assert before.gone == ()
    assert len(before.alive) > 1
    seen = signals.act(target, Kill(), "kill")
    assert seen.alive == ()
    assert {(p.pid, p.start) for p in before.alive} <= {(p.pid, p.start) for p in seen.gone}
    assert server.wait(5) == -signal.SIGKILL
    assert signals.exercised(target, "kill").count == 3
    for caller in callers:
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(1) == b""
    again = world.start("server", "sleep", "20")
    assert until(lambda: len(find(target)) == 1)
    seen = signals.measure(target, Kill(), 0.1)
    assert [process.pid for process in seen.alive] == [again.pid]
    assert len(seen.gone) >= len(before.alive)


@in_world("client", "server")
def test_each_kill_counts_its_own_callers_also_those_that_never_stay(world: SmallWorld) -> None:
    world.serve("server", PORT)  # by us: so that it outlives the kill of the target's processes
    signals, target, over = Signals(), target_of(world), threading.Event()

    def call() -> None:
        while not over.wait(0.1):
            world.connect("client", "server", PORT).close()

    caller = threading.Thread(target=call)
    caller.start()
    world.start("server", "sleep", "20")
    assert until(lambda: len(find(target)) == 1)
    signals.measure(target, Kill(), 0.8)
    over.set()
    caller.join()
    assert until(lambda: not connected_to(target)), "nobody is connected at the act"
    signals.act(target, Kill(), "first")
    assert signals.exercised(target, "first").count >= 3
    world.start("server", "sleep", "20")
    assert until(lambda: len(find(target)) == 1)
    signals.measure(target, Kill(), 0.3)
    signals.act(target, Kill(), "second")
    assert signals.exercised(target, "second").count == 0
    assert signals.exercised(target, "first").count >= 3


@in_world("client", "server")
def test_term_that_is_ignored_is_told_as_it_is(world: SmallWorld) -> None:
    world.start("server", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    signals, target = Signals(), target_of(world)
    assert until(lambda: len(find(target)) == 2)
    seen = signals.act(target, Kill("TERM"), "kill")
    assert any(process.command == "sh" for process in seen.alive)


@in_world("client", "server")
def test_ours_are_left_alone_and_nobody_is_an_error(world: SmallWorld) -> None:
    ours = world.start("server", "sleep", "20", nested=False)
    signals, target = Signals(), target_of(world)
    with pytest.raises(TargetGone):
        signals.snapshot(target)
    with pytest.raises(TargetGone):
        signals.act(target, Kill(), "kill")
    with pytest.raises(TargetGone):
        signals.make(target, Snapshot("signals"), (PAUSE,))
    signals.make(target, Snapshot("signals"), ())
    with pytest.raises(Failed):
        signals.act(target, Restart(), "kill")
    assert ours.poll() is None


def test_an_attached_process_with_its_descendants() -> None:
    script = "sleep 20 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        start = int(Path(f"/proc/{parent.pid}/stat").read_text().rsplit(") ", 1)[1].split()[19])
        signals, target = Signals(), Processes("api", pid=parent.pid, start=start)
        snapshot = signals.snapshot(target)
        signals.make(target, snapshot, (PAUSE,))
        assert until(lambda: states([parent.pid, child]) == {"T"})
        signals.make(target, snapshot, ())
        assert until(lambda: "T" not in states([parent.pid, child]))
        other = Processes("api", pid=parent.pid, start=start + 1)
        with pytest.raises(TargetGone):
            signals.act(other, Kill(), "kill")
        assert parent.poll() is None
        seen = signals.act(target, Kill(), "kill")
        assert {process.pid for process in seen.gone} == {parent.pid, child}
