"""Locust users driven by arrivals against a real server: what its users felt is what we report."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness.errors import InvalidRun, UsageError
from harness.load.driver import Driver, spawn_here
from harness.load.reading import Tail, read
from harness.load.recording import Flag, Outcome
from harness.record.plan import LoadPlan

HERE = Path(__file__).parent
ONE_PAGE = """
    from locust import {base}, task
    class Shopper({base}):
        @task
        def look(self):
            self.client.{method}("{path}", name="look")
"""


class Server:
    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, HERE / "load_server.py", str(port)])

    def wait(self):
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def seen(self):
        with urllib.request.urlopen(f"{self.url}/seen", timeout=5) as answer:
            return json.load(answer)

    def freeze(self, for_s):
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(for_s)
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def server():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(port)
    try:
        made.wait()
        yield made
    finally:
        made.process.send_signal(signal.SIGCONT)
        made.process.kill()
        made.process.wait()


def users(directory, text, **words):
    path = directory / "shopper.py"
    path.write_text(textwrap.dedent(text).format(**words) if words else textwrap.dedent(text))
    return path


def plan(file, url, **given):
    fields = {
        "users": str(file), "entry": "web", "url": url, "counts": "tasks", "rate": ((0.0, 100.0),),
        "rate_smooth": True, "poisson": False, "seed": 1, "warmup": 0.0, "duration": 1.0,
        "timeout": 1.0, "workers": 1, "headers": (), "run_id": "run-7",
    }  # fmt: skip
    if "rate" in given:
        given["rate"] = ((0.0, float(given["rate"])),)
    return LoadPlan(**{**fields, **given})


@contextlib.contextmanager
def driven(load, directory, **more):
    driver = Driver(load, directory, spawn_here, **more)
    try:
        driver.start()
        yield driver
    finally:
        for child in driver._children:
            if child.poll() is None:
                child.terminate()


def run(load, directory, during=lambda: None, **more):
    """A whole load; its end and its recording."""
    with driven(load, directory, **more) as driver:
        begun = time.monotonic()
        during()
        time.sleep(max(0.0, load.warmup + load.duration + 0.3 - (time.monotonic() - begun)))
        return driver.stop(), read(directory)


def requests_of(recording, *, name=None, flags=Flag.JOURNEY | Flag.UNJUDGED):
    """Judged requests, unless `flags` says what to leave out."""
    rows = recording.rows[recording.rows["flags"] & flags == 0]
    rows = rows[rows["outcome"] != Outcome.DROPPED]
    if name is not None:
        rows = rows[rows["name"] == recording.names.index(name)]
    return rows


def journeys_of(recording):
    return recording.rows[recording.rows["flags"] & Flag.JOURNEY > 0]


def outcomes(rows):
    return Counter(Outcome(outcome).name for outcome in rows["outcome"])


def latency_ms(rows):
    return (rows["ended"] - rows["intended"]) / 1e6


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_a_freeze_of_two_seconds_is_reported_as_its_users_felt_it(server, tmp_path, base):
    """200/s for 8 s, stopped for 2 s: 400 of 1600 wait evenly between 0 and 2 s.

    No tool may show less than that; more is what a busy machine adds (benchmarks measure it).
    """
    file = users(tmp_path, ONE_PAGE, base=base, method="get", path="/ok")
    load = plan(file, server.url, rate=200, warmup=1.0, duration=7.0, timeout=3.0)

    def freeze():
        time.sleep(2.5)
        server.freeze(2.0)

    end, recording = run(load, tmp_path, freeze)
    rows = requests_of(recording, name="look")
    assert (end.due, end.sent, end.dropped, end.died) == (1600, 1600, 0, ())
    assert outcomes(rows) == {"OK": 1600}
    assert 1920 * 0.98 < np.quantile(latency_ms(rows), 0.99, method="higher") < 1920 * 1.4
    assert 0.5 < np.mean(latency_ms(rows) < 100) < 1 - 380 / 1600 + 0.01
    assert set(rows["flags"]) == {Flag.FIRST}


def test_the_timeout_counts_from_when_a_request_was_due(server, tmp_path):
    """Timeout 1 s, a freeze of 2 s: of the 400 due in it, those of its first half fail."""
    file = users(tmp_path, ONE_PAGE, base="FastHttpUser", method="get", path="/ok")
    load = plan(file, server.url, rate=200, duration=6.0)

    def freeze():
        time.sleep(1.5)
        server.freeze(2.0)

    _, recording = run(load, tmp_path, freeze)
    rows = requests_of(recording)
    assert 195 <= outcomes(rows)["TIMEOUT"] <= 320
    assert outcomes(rows).keys() == {"OK", "TIMEOUT"}
    assert np.all(latency_ms(rows) < 1000 + 500)
    assert np.all(latency_ms(rows[rows["outcome"] == Outcome.TIMEOUT]) >= 999)


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_connections_that_the_server_kills_are_failures(server, tmp_path, base, method):
    """Every fifth request is dropped: default clients repeat a GET and show nothing."""
    file = users(tmp_path, ONE_PAGE, base=base, method=method, path="/fifth")
    _, recording = run(plan(file, server.url), tmp_path)
    assert outcomes(requests_of(recording)) == {"OK": 80, "RESET": 20}
    assert outcomes(journeys_of(recording)) == {"OK": 80, "RESET": 20}
    assert server.seen()["counts"]["fifth"] == 100


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_classes_of_failures(server, tmp_path, base):
    text = """
        from locust import {base}, task
        class Shopper({base}):
            @task
            def all(self):
                self.client.get("/status/404", name="missing")
                self.client.get("/drop", name="dropped")
                self.client.get("/sleep/2", name="late")
                self.client.get("/away", name="redirected")
                self.client.get("http://127.0.0.2:1/x", name="foreign")
                with self.client.get("/ok", name="rejected", catch_response=True) as r:
                    r.failure("not what I wanted")
                with self.client.get("/status/503", name="checked", catch_response=True) as r:
                    r.failure("not what I wanted")
                with self.client.get("/status/404", name="accepted", catch_response=True) as r:
                    r.success()
                self.client.get("/ok", name="fine")
                with self.client.get("/ok", name="untold", catch_response=True) as r:
                    raise KeyError("id")
    """
    file = users(tmp_path, text, base=base)
    _, recording = run(plan(file, server.url, rate=5, duration=2.0, timeout=0.5), tmp_path)
    expected = {
        "missing": "STATUS", "dropped": "RESET", "late": "TIMEOUT", "redirected": "OTHER",
        "foreign": "OTHER", "rejected": "CONTENT", "checked": "STATUS", "accepted": "OK",
        "fine": "OK", "untold": "OTHER",
    }  # fmt: skip
    for name, outcome in expected.items():
        assert outcomes(requests_of(recording, name=name)) == {outcome: 10}, name
    assert outcomes(journeys_of(recording)) == {"STATUS": 10}  # the first failure
    assert set(requests_of(recording, name="missing")["flags"]) == {Flag.FIRST}
    assert set(requests_of(recording, name="fine")["flags"]) == {0}
    assert np.all(latency_ms(requests_of(recording, name="fine")) < 400)  # from its own start
    assert set(requests_of(recording, name="missing")["status"]) == {404}
    assert "stolen" not in server.seen()["counts"]


def test_refused_connections(server, tmp_path):
    file = users(tmp_path, ONE_PAGE, base="FastHttpUser", method="get", path="/ok")
    _, recording = run(
        plan(file, server.url), tmp_path, lambda: (time.sleep(0.75), server.process.kill())
    )
    counts = outcomes(requests_of(recording))
    assert counts["REFUSED"] >= 30
    assert counts["OK"] >= 30
    assert counts["OK"] + counts["REFUSED"] + counts["RESET"] == 100


def test_ordinary_files_run_as_their_authors_meant_them(server, tmp_path):
    text = """
        from locust import HttpUser, FastHttpUser, SequentialTaskSet, task, tag, between, events
        started = []

        @events.test_start.add_listener
        def begin(environment, **_):
            started.append(environment.host)

        class Buying(SequentialTaskSet):
            @task
            def add(self):
                self.client.post("/ok", json={"sku": 1}, name="add")
            @task
            def pay(self):
                assert self.client.post("/ok", json={}, name="pay").text == "ok"
                self.interrupt()

        class Browser(FastHttpUser):
            weight = 3
            wait_time = between(1, 5)
            host = "http://elsewhere.example"
            def on_start(self):
                assert started == [self.host]
                self.client.get("/ok", name="log in")
            @task(9)
            @tag("read")
            def browse(self):
                self.client.get("/ok", name="browse")
            @task(1)
            def look(self):
                self.client.get("/ok", name="look")

        class Buyer(HttpUser):
            weight = 1
            tasks = [Buying]
    """
    load = plan(
        users(tmp_path, text), server.url, rate=200, duration=2.0, headers=(("x-team", "a"),)
    )
    with driven(load, tmp_path) as driver:
        assert "wait_time of Browser is ignored" in driver.says[0]
        time.sleep(2.4)
        end = driver.stop()
    recording = read(tmp_path)
    counts = {name: len(requests_of(recording, name=name)) for name in recording.names}
    assert end.died == ()
    assert outcomes(requests_of(recording)) == {"OK": 400}
    assert counts["browse"] + counts["look"] == pytest.approx(300, abs=40)
    assert counts["look"] == pytest.approx(30, abs=20)
    assert counts["add"] - counts["pay"] in range(10)  # each user goes on where it was
    assert counts["log in"] == 0  # recorded, never judged
    assert len(requests_of(recording, name="log in", flags=0)) >= 100
    assert "Browser.browse" in recording.names
    assert "Buying.pay" in recording.names
    headers = server.seen()["headers"]
    assert headers["x-harness-run"] == "run-7"
    assert headers["x-team"] == "a"


def test_the_schedule_and_the_choice_of_tasks_do_not_depend_on_the_workers(server, tmp_path):
    text = """
        from locust import FastHttpUser, task
        class Shopper(FastHttpUser):
            @task(3)
            def a(self): self.client.get("/ok", name="a")
            @task(1)
            def b(self): self.client.get("/ok", name="b")
    """
    told = []
    for workers in (1, 2):
        directory = tmp_path / str(workers)
        directory.mkdir()
        load = plan(users(directory, text), server.url, poisson=True, workers=workers)
        with driven(load, directory) as driver:
            time.sleep(1.4)
            driver.stop()
        rows, names = read(directory).rows, read(directory).names
        rows = rows[rows["flags"] == Flag.FIRST]
        told.append(
            [(int(r["arrival"]), int(r["intended"]) - driver.t0_ns, names[r["name"]]) for r in rows]
        )
        assert set(rows["worker"]) == set(range(workers))
    assert told[0] == told[1]


def test_requests_can_be_counted_instead_of_tasks(server, tmp_path):
    text = """
        from locust import FastHttpUser, task
        class Shopper(FastHttpUser):
            @task
            def two(self):
                self.client.get("/ok", name="one")
                self.client.get("/ok", name="two")
    """
    load = plan(users(tmp_path, text), server.url, counts="requests", duration=2.0)
    end, recording = run(load, tmp_path)
    assert end.due == 200
    assert len(requests_of(recording)) == pytest.approx(200, abs=4)


def test_requests_that_a_failure_prevented_are_skipped(server, tmp_path):
    """Three requests a task; the second meets /fifth, and after a failure the task gives up."""
    text = """
        from locust import FastHttpUser, task
        class Shopper(FastHttpUser):
            @task
            def buy(self):
                self.client.get("/ok", name="look")
                if self.client.get("/fifth", name="add").status_code == 200:
                    self.client.get("/ok", name="pay")
    """
    _, recording = run(plan(users(tmp_path, text), server.url, rate=50, duration=2.0), tmp_path)
    assert outcomes(requests_of(recording, name="look")) == {"OK": 100}
    assert outcomes(requests_of(recording, name="add")) == {"OK": 80, "RESET": 20}
    assert outcomes(requests_of(recording, name="pay")) == {"OK": 80, "SKIPPED": 20}
    assert outcomes(journeys_of(recording)) == {"OK": 80, "RESET": 20}


def test_a_closed_loop_waits_for_its_answers(server, tmp_path):
    """Five users meet a freeze of two seconds once each; an open loop shows hundreds."""
    file = users(tmp_path, ONE_PAGE, base="FastHttpUser", method="get", path="/ok")
    load = plan(file, server.url, closed_users=5, think=0.05, duration=4.0, timeout=3.0)

    def freeze():
        time.sleep(1.0)
        server.freeze(2.0)

    end, recording = run(load, tmp_path, freeze)
    rows = requests_of(recording)
    assert (end.died, end.dropped) == ((), 0)
    assert np.count_nonzero(latency_ms(rows) > 500) == 5
    assert 100 < len(rows) <= 5 * 40 + 5


def test_clients_of_ones_own_that_report_to_locust(server, tmp_path):
    text = """
        import gevent, time
        from locust import User, task
        class Custom(User):
            @task
            def ask(self):
                with self.environment.events.request.measure("X", "measured"):
                    gevent.sleep(0.02)
            @task
            def hang(self):
                gevent.sleep(60)
            @task
            def burst(self):
                raise ConnectionRefusedError(111, "refused")
    """
    _, recording = run(plan(users(tmp_path, text), server.url, rate=30, timeout=0.4), tmp_path)
    asked = requests_of(recording, name="measured")
    assert set(outcomes(asked)) == {"OK"}
    assert np.all(latency_ms(asked) > 19)
    assert set(outcomes(requests_of(recording, name="Custom.hang"))) == {"TIMEOUT"}
    assert set(outcomes(requests_of(recording, name="Custom.burst"))) == {"REFUSED"}
    assert len(requests_of(recording)) == len(journeys_of(recording)) == 30


def test_an_arrival_that_finds_every_user_waiting_is_a_failure_of_the_system(server, tmp_path):
    """Tasks of twenty requests on a frozen system need more users than there may be."""
    text = """
        from locust import FastHttpUser, task
        class Shopper(FastHttpUser):
            @task
            def many(self):
                for _ in range(20):
                    self.client.get("/ok", name="page")
    """
    load = plan(users(tmp_path, text), server.url, rate=200, duration=3.0, timeout=0.4)
    server.process.send_signal(signal.SIGSTOP)
    end, recording = run(load, tmp_path)
    server.process.send_signal(signal.SIGCONT)
    assert end.dropped == 0
    counts = outcomes(requests_of(recording))
    assert counts["OTHER"] > 100
    assert set(counts) == {"TIMEOUT", "OTHER"}
    nobody = requests_of(recording)[requests_of(recording)["outcome"] == Outcome.OTHER]
    assert set(nobody["name"]) == {recording.names.index("page")}
    assert len(journeys_of(recording)) == 600


def test_an_arrival_that_finds_the_generator_busy_is_dropped(server, tmp_path):
    text = """
        import time, gevent
        from gevent import monkey
        from locust import FastHttpUser, task
        class Shopper(FastHttpUser):
            @task
            def compute(self):
                monkey.get_original("time", "sleep")(0.05)
                self.client.get("/ok", name="page")
    """
    load = plan(users(tmp_path, text), server.url, rate=100, duration=2.0, timeout=0.3)
    end, recording = run(load, tmp_path)
    assert end.dropped > 20
    assert outcomes(journeys_of(recording))["DROPPED"] == end.dropped
    assert end.late_p99_ms > 100


def test_a_killed_worker_is_noticed_and_its_rows_are_there(server, tmp_path):
    file = users(tmp_path, ONE_PAGE, base="FastHttpUser", method="get", path="/ok")
    with driven(plan(file, server.url, duration=20.0), tmp_path) as driver:
        time.sleep(1.5)
        os.kill(driver._children[0].pid, signal.SIGKILL)
        driver._children[0].wait(5)
        assert driver.died() == ("load worker 0 ended with -9",)
        assert driver.stop().died == driver.died()
    rows = requests_of(read(tmp_path))
    assert len(rows) >= 80
    assert outcomes(rows) == {"OK": len(rows)}


def test_a_worker_ends_when_who_started_it_is_gone(server, tmp_path):
    file = users(tmp_path, ONE_PAGE, base="FastHttpUser", method="get", path="/ok")
    starter = f"""
import os, pathlib, sys
sys.path.insert(0, {str(HERE)!r})
from test_load import plan, Driver, spawn_here
load = plan({str(file)!r}, {server.url!r}, duration=60.0)
driver = Driver(load, pathlib.Path({str(tmp_path)!r}), spawn_here)
driver.start()
print(driver._children[0].pid, flush=True)
os.kill(os.getpid(), 9)
"""
    told = subprocess.run(
        [sys.executable, "-c", starter], stdout=subprocess.PIPE, timeout=60, check=False
    )
    pid = int(told.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the worker outlived its starter")


def test_stop_ends_the_load_early_and_waits_for_answers(server, tmp_path):
    file = users(tmp_path, ONE_PAGE, base="FastHttpUser", method="get", path="/sleep/0.4")
    with driven(plan(file, server.url, duration=60.0), tmp_path) as driver:
        time.sleep(1.2)
        end = driver.stop()
    assert end.died == ()
    assert 60 <= end.due <= 200
    assert len(requests_of(read(tmp_path))) == end.sent == end.due


def test_what_is_live_can_be_read_while_it_runs(server, tmp_path):
    file = users(tmp_path, ONE_PAGE, base="FastHttpUser", method="get", path="/ok")
    tail, seen, states = Tail(tmp_path), 0, []
    with driven(plan(file, server.url, rate=200, duration=3.0, timeout=5.0), tmp_path) as driver:
        time.sleep(0.8)
        seen += len(tail.rows())
        assert seen > 0
        server.freeze(0.6)
        states = list(tail.states().values())
        time.sleep(2.0)
        driver.stop()
    seen += len(tail.rows())
    assert seen == len(read(tmp_path).rows) == 1200
    assert states[0].in_flight >= 60
    assert states[0].at - states[0].oldest_due > 0.3e9


SHAPE = """
from locust import LoadTestShape, User, task
class Shape(LoadTestShape):
    def tick(self): return None
class Shopper(User):
    @task
    def x(self): pass
"""
NO_START = """
from locust import User, task
class Shopper(User):
    def on_start(self): 1 / 0
    @task
    def x(self): pass
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_like_that", r"No module named 'nothing_like_that' \(line 1\)"),
        ("class (", "SyntaxError"),
        ("x = 1", "no User class"),
        ("from locust import User\nclass Idle(User): pass", "Idle has no tasks"),
        (SHAPE, "LoadTestShape, which counts users; write the curve"),
        (NO_START, "on_start failed for every user: ZeroDivisionError"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path, text, message):
    load = plan(users(tmp_path, text), "http://127.0.0.1:9")
    with pytest.raises(UsageError, match=message):
        Driver(load, tmp_path, spawn_here).start()


def test_a_file_that_ends_the_process_is_no_silence(tmp_path):
    load = plan(users(tmp_path, "import os\nos._exit(3)"), "http://127.0.0.1:9")
    with pytest.raises(InvalidRun, match="load worker 0 ended with 3"):
        Driver(load, tmp_path, spawn_here).start()
