"""Systems that run already: found by pid, port and URL, and left as they were."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.agent.effects import Kill, Processes, ProcessesSeen
from harness.capabilities import Links, Signals, Units
from harness.experiment.system_model import Metadata, Service, System
from harness.substrates.attached import AttachedSubstrate
from harness.substrates.attached.identity import listening_on, start_of

ATTACHED = AttachedSubstrate()
SERVER = """
import socket, sys, os, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
if len(sys.argv) > 1:
    time.sleep(0.05); os.fork()
time.sleep(60)
"""


@pytest.fixture
def server():
    """A process that listens, and its port."""
    with started() as found:
        yield found


@contextlib.contextmanager
def started(*arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, *arguments], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        yield process, int(process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):  # a test may have killed it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def system(*services):
    return System(Metadata("here"), services, Path("/srv/system.yaml"), Path("/srv"))


def test_a_port_tells_who_listens(server):
    process, port = server
    assert listening_on(port) == process.pid


def test_of_workers_that_share_a_port_the_parent_is_meant():
    with started("fork") as (process, port):
        time.sleep(0.3)
        assert listening_on(port) == process.pid


def test_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert listening_on(port) == 0
    assert "nothing listens on port" in ATTACHED.refuse(system(Service("a", attach_port=port)))


def test_a_pid_that_is_gone_is_refused():
    done = subprocess.Popen(["true"])
    done.wait()
    assert start_of(done.pid) == 0
    assert "no process" in ATTACHED.refuse(system(Service("a", attach_pid=done.pid)))


def test_it_offers_signals_and_nothing_else(server):
    process, port = server
    here = system(
        Service("a", attach_port=port, url=f"http://127.0.0.1:{port}"),
        Service("b", attach_pid=process.pid),
        Service("c", url="https://shop.example"),
    )
    assert ATTACHED.refuse(here) == ""
    replicas = ATTACHED.topology(here).replicas
    a, b = ATTACHED.resources(Signals, replicas, ())
    assert a == Processes("a", pid=process.pid, start=start_of(process.pid), ports=(port,))
    assert (b.target, b.pid, b.start) == ("b", process.pid, start_of(process.pid))
    assert ATTACHED.resources(Links, replicas, ()) == ()
    assert ATTACHED.resources(Units, replicas, ()) == ()
    assert replicas[2].address == "shop.example"
    assert replicas[2].port == 443


def test_started_and_attached_services_are_not_mixed():
    assert "mixed" in ATTACHED.refuse(system(Service("a", run="x"), Service("b", attach_pid=1)))


def test_a_process_is_killed_and_that_is_told(server, tmp_path):
    process, port = server
    here = system(Service("a", attach_port=port))
    (target,) = ATTACHED.resources(Signals, ATTACHED.topology(here).replicas, ())
    with ATTACHED.open(here, tmp_path, 5.0) as world:
        seen = world.hands.measure(target, None, 0.1)
        assert isinstance(seen, ProcessesSeen)
        assert [alive.pid for alive in seen.alive] == [process.pid]
        world.hands.act(target, "receipt", Kill(), "x")
        assert process.wait(5) == -signal.SIGKILL
        assert world.troubles() == ("a ended",)
        assert world.troubles() == ()


def test_what_we_spawn_ends_with_us(server, tmp_path):
    """Load must not go on when the harness was killed."""
    _, port = server
    program = f"""
import time
from pathlib import Path
from harness.experiment.system_model import *
from harness.substrates.attached import AttachedSubstrate
here = System(Metadata("x"), (Service("a", attach_port={port}),), Path("/x/s.yaml"), Path("/x"))
with AttachedSubstrate().open(here, Path({str(tmp_path)!r}), 5.0) as world:
    child = world.spawn("client", ("sleep", "60"), Path({str(tmp_path / "l.log")!r}))
    print(child.pid, flush=True)
    time.sleep(60)
"""
    harness = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    child = int(harness.stdout.readline())
    start = start_of(child)
    assert start
    harness.kill()
    harness.wait()
    harness.stdout.close()
    deadline = time.monotonic() + 5
    while start_of(child) == start:
        assert time.monotonic() < deadline
        time.sleep(0.02)
