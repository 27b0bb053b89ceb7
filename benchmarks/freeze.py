"""What users feel when a server stops for two seconds, and who reports it.

`python benchmarks/freeze.py [RUNS]`: 200 requests a second for 20 s; the server is stopped (by
SIGSTOP) for exactly 2 s. Each of our drivers RUNS times (10), then Locust as people use it, and
vegeta, once.

The truth is the server's own: it notes when it answered, and since it answers in the order of
asking, the k-th answer belongs to the k-th request that was due. So the time that it takes to drain
its queue counts. Each run is made twice, with a timeout of 5 s for the latencies and the recovery
(until all are answered within 100 ms again), with one of 1 s for the availability.
Exits with 1 when one of our runs is beyond 1 % (P99, P99.9), 0.1 points or 0.2 s.
"""

import contextlib
import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.clock import SECOND, Epoch
from harness.experiment.model import Request
from harness.load.driver import Driver, spawn_here
from harness.load.reading import read
from harness.load.recording import ROW, Flag, Outcome
from harness.measure.observation import Observation
from harness.measure.recovery import Level, Span, recover
from harness.measure.statistics import quantile
from harness.record.plan import LoadPlan

RATE, SECONDS, FREEZE_AT, FROZEN = 200.0, 20.0, 8.0, 2.0
SERVED_S = 0.1
DRIVERS = ("locust", "fast")
HERE = Path(__file__).parent
VEGETA = "github.com/tsenart/vegeta/v12@v12.12.0"
GO_CACHE = Path(tempfile.gettempdir()) / "harness-bench-go"

LOCUSTFILE = """
from locust import FastHttpUser, constant, task
class Visitor(FastHttpUser):
    wait_time = constant(0.1)
    network_timeout = connection_timeout = {timeout}
    @task
    def look(self):
        self.client.get("/", name="look")
"""


@dataclass(frozen=True)
class Felt:
    """What somebody reports. nan: it does not say."""

    p99_ms: float = float("nan")
    p999_ms: float = float("nan")
    availability: float = float("nan")
    recovery_s: float = float("nan")


class Server:
    """Stopped exactly once, and its own account of when it answered."""

    def __init__(self, directory):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = directory / "answered.bin"
        argv = [sys.executable, HERE / "freezable.py", str(self.port), str(self.log)]
        self.process = subprocess.Popen(argv)
        self.stopped = 0

    def __enter__(self):
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.05)
        raise RuntimeError("the server does not answer")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)

    def freeze(self, at_ns):
        """In a thread of its own: stop it at that instant, for two seconds."""

        def stop():
            time.sleep(max(0.0, (at_ns - time.monotonic_ns()) / SECOND))
            self.process.send_signal(signal.SIGSTOP)
            self.stopped = time.monotonic_ns()
            time.sleep(FROZEN)
            self.process.send_signal(signal.SIGCONT)

        thread = threading.Thread(target=stop)
        thread.start()
        return thread


# ---------------------------------------------------------------- from requests to what was felt


def felt(due_ns, took_ns, good, stopped_ns):
    """The same rule for everybody who tells single requests: ours, vegeta's, the truth."""
    rows = np.zeros(len(due_ns), ROW)
    rows["intended"], rows["ended"] = due_ns, due_ns + took_ns
    rows["outcome"] = np.where(good, Outcome.OK, Outcome.TIMEOUT)
    requests = Observation(rows, ("look",), Epoch(int(stopped_ns), 0)).requests
    end = float(requests.due.max())
    found = recover(requests, (Level(SERVED_S, 0.99),), Span("freeze", 0.0, FROZEN, end))
    return Felt(
        quantile(requests.latency, 0.99) * 1e3, quantile(requests.latency, 0.999) * 1e3,
        float(np.mean(good)), found.served_s if found.served_s is not None else float("nan"),
    )  # fmt: skip


def truth(server, due_ns):
    """Those whom nobody waits for any more are answered too, in their turn."""
    answered = np.fromfile(server.log, "<i8")
    took = np.sort(answered)[-len(due_ns) :] - due_ns
    said = felt(due_ns, took, np.ones(len(due_ns), bool), server.stopped)
    return replace(said, availability=float(np.mean(took <= SECOND)))


# ---------------------------------------------------------------- ours


def plan_for(driver, directory, server, timeout):
    users = directory / "visitor.py"
    users.write_text(LOCUSTFILE.format(timeout=timeout))
    made = LoadPlan(
        str(users), "web", server.url.rstrip("/"), "tasks", ((0.0, RATE),), True, False, 1, 0.0,
        SECONDS, timeout, 1, (), "freeze",
    )  # fmt: skip
    if driver == "locust":
        return made
    return replace(made, users="", counts="requests", requests=(Request("look", "GET", "/"),))


def ours_once(driver, timeout):
    """The truth and what we say, of one run."""
    with tempfile.TemporaryDirectory(prefix="freeze-") as name:
        directory = Path(name)
        with Server(directory) as server:
            load = Driver(plan_for(driver, directory, server, timeout), directory, spawn_here)
            t0 = load.start()
            freezing = server.freeze(t0 + round(FREEZE_AT * SECOND))
            time.sleep(SECONDS + 0.5)
            freezing.join()
            end = load.stop()
        assert (end.dropped, end.died) == (0, ()), end
        rows = read(directory).rows
        rows = rows[rows["flags"] & Flag.JOURNEY == 0]
        due = rows["intended"]
        said = felt(due, rows["ended"] - due, rows["outcome"] == Outcome.OK, server.stopped)
        return truth(server, due), said


def ours(pool):
    """One run: both drivers with both timeouts at once, each against a server of its own."""
    tried = {(d, t): pool.submit(ours_once, d, t) for d in DRIVERS for t in (5.0, 1.0)}
    for driver in DRIVERS:
        (true, said), (true_1, said_1) = tried[driver, 5.0].result(), tried[driver, 1.0].result()
        yield (driver, replace(true, availability=true_1.availability),
               replace(said, availability=said_1.availability))  # fmt: skip


# ---------------------------------------------------------------- others


def running(argv, directory, server, seconds=SECONDS):
    """Start a tool, freeze the server in the middle of its run, wait for its end."""
    tool = subprocess.Popen(argv, cwd=directory, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)  # fmt: skip
    begun = time.monotonic_ns()
    freezing = server.freeze(begun + round((FREEZE_AT + 3) * SECOND))
    tool.wait(seconds + 30)
    freezing.join()


def default_locust(timeout):
    with tempfile.TemporaryDirectory(prefix="freeze-") as name:
        directory = Path(name)
        (directory / "visitor.py").write_text(LOCUSTFILE.format(timeout=timeout))
        argv = [
            Path(sys.executable).parent / "locust", "-f", "visitor.py", "--headless", "-u", "20",
            "-r", "20", "-t", f"{SECONDS:.0f}s", "--csv", "told", "--only-summary",
        ]  # fmt: skip
        with Server(directory) as server:
            running([*argv, "-H", server.url.rstrip("/")], directory, server)
        told = next(csv.DictReader((directory / "told_stats.csv").open()))
        failed = int(told["Failure Count"]) / int(told["Request Count"])
        return Felt(float(told["99%"]), float(told["99.9%"]), 1 - failed)


def vegeta(program, timeout):
    with tempfile.TemporaryDirectory(prefix="freeze-") as name:
        directory = Path(name)
        attack = (
            f"echo GET {{url}} | {program} attack -rate {RATE:.0f}/s -duration {SECONDS:.0f}s "
            f"-timeout {timeout:g}s | {program} encode -to csv -output told.csv"
        )
        with Server(directory) as server:
            wall = time.time_ns() - time.monotonic_ns()
            running(["sh", "-c", attack.format(url=server.url)], directory, server)
        told = np.array([
            [int(line[0]), int(line[2]), int(line[1]) == 200]
            for line in csv.reader((directory / "told.csv").open())
        ])  # fmt: skip
        told = told[np.argsort(told[:, 0])]
        return felt(told[:, 0] - wall, told[:, 1], told[:, 2] == 1, server.stopped)


def vegeta_program():
    """Built from its Go module, once for this machine; None where there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    program = GO_CACHE / "bin" / "vegeta"
    if not program.exists():
        env = {**os.environ, "GOPATH": str(GO_CACHE), "GOFLAGS": "-modcacherw"}
        subprocess.run([go, "install", VEGETA], env=env, check=True, timeout=600)
    return program


# ---------------------------------------------------------------- the table


def line(name, said, true=None):
    text = (
        f"{name:28} {said.p99_ms:8.1f} {said.p999_ms:8.1f} {said.availability * 100:9.3f} %"
        f" {said.recovery_s:8.3f} s"
    )
    if true is None:
        return text
    return text + (
        f"   off by {100 * (said.p99_ms / true.p99_ms - 1):+6.2f} %"
        f" {100 * (said.p999_ms / true.p999_ms - 1):+6.2f} %"
        f" {100 * (said.availability - true.availability):+7.3f} points"
        f" {said.recovery_s - true.recovery_s:+7.3f} s"
    )


def within(said, true):
    return (
        abs(said.p99_ms / true.p99_ms - 1) <= 0.01
        and abs(said.p999_ms / true.p999_ms - 1) <= 0.01
        and abs(said.availability - true.availability) <= 0.001
        and abs(said.recovery_s - true.recovery_s) <= 0.2
    )


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{'':28} {'P99 ms':>8} {'P99.9':>8} {'good at 1 s':>11} {'served well again':>10}")
    beyond = 0
    with ThreadPoolExecutor(2 * len(DRIVERS)) as pool:
        for number in range(runs):
            for driver, true, said in ours(pool):
                beyond += not within(said, true)
                print(line(f"truth, run {number + 1}", true), flush=True)
                print(line(f"ours, {driver} driver", said, true), flush=True)
    told, told_1 = default_locust(5.0), default_locust(1.0)
    print(line("Locust, 20 users", replace(told, availability=told_1.availability), true))
    if program := vegeta_program():
        told, told_1 = vegeta(program, 5.0), vegeta(program, 1.0)
        print(line("vegeta", replace(told, availability=told_1.availability), true))
    else:
        print("vegeta                       skipped: no Go to build it with")
    print(f"{beyond} of {2 * runs} runs of ours beyond 1 % / 0.1 points / 0.2 s")
    sys.exit(beyond > 0)


if __name__ == "__main__":
    main()
