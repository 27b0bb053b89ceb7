"""The promises on what runs already: it goes on, whoever is killed; one holder at a time."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from attached_place import PAUSE, Here
from fire import LEASE_AND_1_S, STOP, stopped, wait

from harness.errors import Refused
from harness.run import state

KILL = "{id: f, at: 1s, fault: process.kill, target: api}"


@pytest.fixture
def here(tmp_path):
    place = Here(tmp_path)
    yield place
    place.close()


def goes_on(here):
    begin = time.monotonic()
    wait(lambda: not stopped(here.target), LEASE_AND_1_S, "target that goes on")
    print(f"the target goes on after {time.monotonic() - begin:.2f} s")


@pytest.mark.parametrize("how", ["pid", "port", "url"])
def test_a_run_on_it(here, how):
    ways = {
        "pid": f"attach: {{pid: {here.target.pid}}}",
        "port": f"attach: {{port: {here.port}}}",
        "url": f'url: "http://127.0.0.1:{here.port}"',
    }
    here.attach(ways[how])
    with here.running("run", here.run(PAUSE.replace("60s", "2s"))) as shot:
        shot.until("injected f")
        assert stopped(here.target)
        assert shot.ends() == 0, shot.said
    assert not stopped(here.target)
    shot.nothing_left()


WITH_A_CHILD = """
import os, runpy, sys, time
if os.fork() == 0:
    time.sleep(600)
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def parent(here):
    """A server with a child that somebody has stopped long ago."""
    argv = [sys.executable, "-P", "-c", WITH_A_CHILD, str(here.path / "here.py")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
    here.port = int(process.stdout.readline())
    parent = psutil.Process(process.pid)
    (child,) = parent.children()
    child.suspend()
    yield parent
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("dies", [False, True], ids=["stays stopped", "dies meanwhile"])
def test_what_somebody_else_did_is_told_and_not_ours(here, parent, dies):
    (child,) = parent.children()
    here.attach(f"attach: {{pid: {parent.pid}}}")
    with here.running("run", here.run(PAUSE.replace("60s", "2s"))) as shot:
        shot.until("injected f")
        if dies:
            child.kill()
        assert shot.ends() == 0, shot.said
    (gone,) = (step for step in here.steps if step.step == "gone")
    assert (f"stopped was '{child.pid}:" in gone.data.get("foreign", "")) is dies
    assert dies or stopped(child)
    assert not stopped(parent)


def test_killing_it(here):
    with here.running("run", here.run(KILL)) as shot:
        assert shot.ends() == 0, shot.said
    assert here.server.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("victim", ["harness", "agent", "reaper", "agent and reaper"])
def test_it_goes_on_whoever_is_killed(here, victim):
    with here.running("run", here.run(PAUSE)) as shot:
        shot.until("injected f")
        if victim == "harness":
            shot.process.kill()
        elif victim == "agent and reaper":
            killed = shot.reaper, shot.agent
            [p.kill() for p in killed]
        else:
            getattr(shot, victim).kill()
        goes_on(here)
        if victim != "harness":
            assert shot.ends() == 6, shot.said
        shot.nothing_left()
    assert here.harness("recover", "--all").returncode == 0
    assert "nothing was left behind" in here.harness("ps").stdout


def kill_all(here, shot):
    """Harness and both halves of its agent, in one moment: only the journal is left."""
    shot.until("injected f")
    killed = shot.reaper, shot.agent
    for process in killed:
        process.send_signal(STOP)
    shot.process.kill()
    for process in killed:
        process.kill()
    shot.process.wait()
    assert stopped(here.target)


def test_recover_takes_back_what_nobody_else_could(here):
    with here.running("run", here.run(PAUSE)) as shot:
        kill_all(here, shot)
    run = here.run_directory.name
    assert f"harness recover {run}" in here.harness("ps").stdout
    done = here.harness("recover", "--expired")
    assert done.returncode == 0
    assert "taken back: f/api" in done.stdout
    assert not stopped(here.target)
    assert "nothing was left behind" in here.harness("recover", run).stdout


def test_what_a_dead_run_left_is_taken_back_before_the_next_begins(here):
    with here.running("run", here.run(PAUSE)) as shot:
        kill_all(here, shot)
    first = here.run_directory
    with here.running("run", here.run(PAUSE.replace("60s", "2s"))) as shot:
        assert shot.ends() == 0, shot.said
    assert here.run_directory != first
    assert not stopped(here.target)
    assert "nothing was left behind" in here.harness("recover", first.name).stdout


def test_recovering_a_target_that_is_gone(here):
    with here.running("run", here.run(PAUSE)) as shot:
        kill_all(here, shot)
    here.server.kill()
    here.server.wait()
    assert here.harness("recover", "--all").returncode == 0
    assert "nothing was left behind" in here.harness("ps").stdout


def test_one_holder(here):
    file = here.run(PAUSE)
    with here.running("run", file) as shot:
        shot.until("injected f")
        held = here.run_directory
        second = here.harness("run", file)
        assert second.returncode == 2
        assert held.name in second.stderr
        assert here.run_directory == held
        shot.process.send_signal(signal.SIGTERM)
        assert shot.ends() == 4
    assert not stopped(here.target)


@pytest.mark.parametrize("there", ["", '{"run": "old", "name": "old", "pid": 1, "start": 7,'])
def test_a_holder_is_named_who_had_no_time_to_write_it(tmp_path, monkeypatch, there):
    """Nor is the one of before named in its place."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with state.leased(("process 7",), "run-a", "slow", 60.0):
        (lease,) = (state.home() / "leases").iterdir()
        whole = lease.read_text()
        lease.write_text(there + '"until": 0}' if there else "")
        threading.Timer(0.2, lambda: lease.write_text(whole)).start()
        with pytest.raises(Refused, match=r"held by run run-a \(slow, pid \d+\), \d+ s left"):
            _ = state.leased(("process 7",), "run-b", "late", 60.0).__enter__()


def test_a_harness_that_stands_still(here):
    with here.running("run", here.run(PAUSE)) as shot:
        shot.until("injected f")
        shot.process.send_signal(STOP)
        goes_on(here)
        shot.process.send_signal(signal.SIGCONT)
        assert shot.ends() == 6
        shot.nothing_left()
    assert not stopped(here.target)
