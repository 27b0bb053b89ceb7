"""Load workers that live elsewhere, with another clock: what arrives, and what a broken line means.

Real stations and workers, each in a time namespace of its own; the lines to them are processes, as
`exec` starts them in a pod.
"""

import contextlib
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from test_load import plan, run, server, spawn_here  # noqa: F401  a fixture

from harness.experiment.model import Request
from harness.load.driver import Driver
from harness.load.mirror import Given, Mirror
from harness.load.reading import read
from harness.load.recording import Flag

USERS = """
from locust import HttpUser, task
class Shopper(HttpUser):
    @task
    def buy(self): self.client.get("/buy")
"""
BUY = (Request("buy", "GET", "/buy"),)
AHEAD_S = 5000


class Line:
    def __init__(self, place):
        argv = (sys.executable, "-m", "harness.load.joining", str(place))
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reader, self.writer = self.process.stdout, self.process.stdin

    def close(self):
        self.process.kill()
        self.process.wait()
        for end in (self.reader, self.writer):
            with contextlib.suppress(OSError):
                end.close()


class Elsewhere:
    """Stations in directories of their own, each further ahead of our clock than the one before."""

    def __init__(self, path):
        self.path = path
        self.stations, self.lines = {}, {}

    def launch(self, spec):
        place = self.path / f"pod-{spec.worker}"
        place.mkdir()
        argv = (sys.executable, "-m", "harness.load.station", str(place))
        clock = ("unshare", "-rT", "--monotonic", str(AHEAD_S * (spec.worker + 1)), "--fork")
        station = self.stations[spec.worker] = subprocess.Popen([*clock, "--kill-child", *argv])

        def join():
            line = self.lines[spec.worker] = Line(place)
            return line

        def why():
            return "" if station.poll() is None else "its pod is gone"

        given = Given({"users/shopper.py": USERS.encode()}, {})
        there = spec.plan.users and "users/shopper.py"
        spec = replace(spec, plan=replace(spec.plan, users=there))
        return Mirror(spec, given, str(place), join, why)

    def close(self):
        for line in self.lines.values():
            line.close()
        for station in self.stations.values():
            station.kill()
            station.wait()


@pytest.fixture
def elsewhere(tmp_path):
    clock = ("unshare", "-rT", "--monotonic", "1", "--fork", "true")
    if subprocess.run(clock, capture_output=True, check=False).returncode:
        pytest.skip("no time namespaces here")
    with contextlib.closing(Elsewhere(tmp_path)) as made:
        yield made


def due(recording):
    """When arrivals were due, in seconds from the first."""
    tasks = recording.rows["flags"] & (Flag.JOURNEY if "/buy" in recording.names else Flag.FIRST)
    due = np.sort(recording.rows["intended"][tasks > 0])
    return (due - due[0]) / 1e9


def test_workers_elsewhere_share_one_schedule_on_one_clock(server, tmp_path, elsewhere):  # noqa: F811
    load = plan("", server.url, workers=3, rate=90, duration=2.0, requests=BUY)
    driver = Driver(load, tmp_path, spawn_here, launch=elsewhere.launch)
    driver.start()
    time.sleep(3.4)
    end = driver.stop()
    assert end.died == ()
    recording = read(tmp_path)
    assert np.allclose(due(recording), np.arange(180) / 90, atol=1e-6)
    assert abs(recording.rows["intended"].min() - driver.t0_ns) < 1000
    assert [arrived.worker for arrived in end.arrived] == [0, 1, 2]
    assert sum(arrived.rows for arrived in end.arrived) == len(recording.rows)
    for arrived in end.arrived:
        ahead_ms = 1000 * AHEAD_S * (arrived.worker + 1)
        assert abs(arrived.clock_ms - ahead_ms) <= arrived.within_ms + 0.1
    latency = (recording.rows["ended"] - recording.rows["intended"]) / 1e9
    assert latency.min() > 0
    assert latency.max() < AHEAD_S


def test_a_line_that_breaks_is_joined_again_and_nothing_is_missing(server, tmp_path, elsewhere):  # noqa: F811
    load = plan("shopper.py", server.url, workers=1, rate=100, duration=3.0)
    driver = Driver(load, tmp_path, spawn_here, launch=elsewhere.launch)
    driver.start()
    for tick in range(42):
        time.sleep(0.1)
        assert driver.died() == ()
        if tick in (20, 30):
            elsewhere.lines[0].process.kill()
    end = driver.stop()
    assert end.died == ()
    assert np.allclose(due(read(tmp_path)), np.arange(300) / 100, atol=1e-6)


@pytest.mark.parametrize(("victim", "says"), [("station", "its pod is gone"), ("worker", "-9")])
def test_a_worker_elsewhere_that_is_killed_is_noticed(server, tmp_path, elsewhere, victim, says):  # noqa: F811
    load = plan("", server.url, workers=1, rate=100, duration=20.0, requests=BUY)
    driver = Driver(load, tmp_path, spawn_here, launch=elsewhere.launch)
    driver.start()
    time.sleep(2)
    module = {"station": "harness.load.station", "worker": "fast_worker"}[victim]
    subprocess.run(["pkill", "-9", "-f", f"{module}.*{tmp_path}"], check=True)
    until = time.monotonic() + 10
    while not driver.died() and time.monotonic() < until:
        time.sleep(0.05)
    assert says in driver.died()[0]
    assert len(read(tmp_path).rows) > 20


def test_the_load_ends_when_nobody_is_heard(server, tmp_path, elsewhere):  # noqa: F811
    load = plan("", server.url, workers=1, rate=100, duration=60.0, requests=BUY)
    driver = Driver(load, tmp_path, spawn_here, launch=elsewhere.launch)
    driver.start()
    time.sleep(2)
    elsewhere.lines[0].process.send_signal(signal.SIGSTOP)
    assert elsewhere.stations[0].wait(15) == 1
