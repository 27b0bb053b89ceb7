"""A generator that cannot do what it is asked to makes the run INVALID: never PASS, never FAIL."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from worlds import WHY_NOT

from harness.errors import Exit

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no local world here: {WHY_NOT}")

HERE = Path(__file__).parent
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {{name: small}}
spec:
  services:
    web: {{run: "{python} {server} $(port)", port: 8000, ready: tcp}}
"""
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {{name: weak}}
spec:
  hypothesis: Nobody knows.
  system: system.yaml
  duration: {duration}s
  load: {{users: users.py, entry: web, arrivals: {{tasks: {rate}/s}}, timeout: 1s}}
  timeline: []
  objectives: {objectives}
"""
USERS = """
from locust import FastHttpUser, task
class Shopper(FastHttpUser):
    @task
    def look(self):
        self.client.get("/ok", name="look")
"""
HOLDS = ["availability >= 99%", "p99 < 100ms"]
#: What this system would fail if anybody believed the generator.
FAILS = ["availability >= 99.9%", "p99 < 1ms"]


def files(directory, *, rate, duration=4, objectives=HOLDS):
    python = f"{sys.executable} -P"
    made = {
        "system.yaml": SYSTEM.format(python=python, server=HERE / "load_server.py"),
        "weak.yaml": EXPERIMENT.format(
            rate=rate, duration=duration, objectives=json.dumps(objectives)
        ),
        "users.py": USERS,
    }
    for name, text in made.items():
        (directory / name).write_text(textwrap.dedent(text))
    return directory / "weak.yaml"


@contextlib.contextmanager
def running(directory, **given):
    """`harness run`, as its own process; its state is the test's own."""
    file = files(directory, **given)
    argv = (sys.executable, "-m", "harness.cli.main", "run", str(file), "--reports",
            str(directory / "reports"))  # fmt: skip
    env = {**os.environ, "XDG_STATE_HOME": str(directory / "state")}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            yield run
        finally:
            run.kill()


def report(directory):
    return json.loads((directory / "reports" / "last" / "report.json").read_text())


def ended(run, directory):
    out, err = run.communicate(timeout=90)
    assert run.returncode == Exit.INVALID, (out.decode(), err.decode())
    told = report(directory)
    assert told["verdict"] == "invalid"
    return told["reasons"]


@contextlib.contextmanager
def hogged_core(hogs):
    """All that is started meanwhile shares one core with so many busy processes."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    hog = (sys.executable, "-c", "while True: pass")
    # each in a session of its own: the kernel shares a core among sessions first
    busy = [subprocess.Popen(hog, start_new_session=True) for _ in range(hogs)]
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        for hog in busy:
            hog.kill()
            hog.wait(5)


@pytest.mark.parametrize("objectives", [HOLDS, FAILS])
def test_five_times_the_rate_that_it_can_hold(tmp_path, objectives):
    with running(tmp_path, rate=15_000, objectives=objectives) as run:
        reasons = ended(run, tmp_path)
    assert any(reason.startswith("generator ") for reason in reasons)
    assert any("this machine could have held about " in reason for reason in reasons)


def test_a_busy_neighbour(tmp_path):
    with hogged_core(6), running(tmp_path, rate=1000) as run:
        reasons = ended(run, tmp_path)
    assert any(reason.startswith("generator ") for reason in reasons)


def test_a_killed_worker(tmp_path):
    with running(tmp_path, rate=100, duration=20) as run:
        worker = load_worker(run)
        time.sleep(3)
        worker.send_signal(signal.SIGKILL)
        reasons = ended(run, tmp_path)
    assert any("load worker 0 ended with" in reason for reason in reasons)
    directory = str(tmp_path / "reports" / "last")
    argv = (sys.executable, "-m", "harness.cli.main", "recording", directory)
    lines = subprocess.run(argv, stdout=subprocess.PIPE, timeout=60, check=True).stdout.splitlines()
    assert len(lines) > 100
    assert all(b"  ok  " in line for line in lines[1:])


def load_worker(run):
    """The worker once it sends, wherever below the harness it is."""
    until = time.monotonic() + 60
    while time.monotonic() < until and run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "harness.load.locust_worker" in process.cmdline():
                    return process
        time.sleep(0.1)
    raise AssertionError("there was no load worker")
