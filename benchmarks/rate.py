"""How many arrivals a second one core sends on time, beside closed loops.

Open loops climb a ladder of rates, and hold one when 99 % of the arrivals after the warm-up began
within 5 ms of when they were due and none was dropped, in one of up to five tries: what else runs
on this machine spoils some, so read the tries on stderr beside the table. Closed loops (Locust's
own users, wrk) have no due time, only a speed. Generator on core 0, a small server on core 1; read
the ratios.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.experiment.model import Request
from harness.load.driver import Driver, spawn_here
from harness.load.reading import read
from harness.load.recording import Flag, Outcome
from harness.load.status import Status, parse
from harness.record.plan import LoadPlan

HERE = Path(__file__).parent
PORT = 18_311
LATE_MS, TRIES, SECONDS = 5.0, 5, 3.0
LADDERS = {
    "locust": (1000, 2000, 2500, 3000, 3500, 4000),
    "fast": (8000, 16_000, 24_000, 32_000, 40_000, 50_000, 60_000),
}
USERS = """
from locust import FastHttpUser, constant, task
class Caller(FastHttpUser):
    wait_time = constant(0)
    @task
    def look(self):
        self.client.get("/look", name="look")
"""


@dataclass(frozen=True)
class Held:
    """One try: `late_ms` is the 99th percentile, `cpu_us` what an arrival cost the generator."""

    rate: float
    late_ms: float
    dropped: int
    cpu_us: float

    @property
    def accurate(self):
        return self.late_ms <= LATE_MS and not self.dropped


def main():
    with tempfile.TemporaryDirectory() as made, answering():
        users = Path(made) / "users.py"
        users.write_text(USERS)
        held = {kind: climb(kind, users, Path(made)) for kind in LADDERS}
        closed = {"locust, closed loop": locust(users), "wrk, closed loop": wrk()}
    print_table(held, closed)


def climb(kind, users, directory):
    """The try that held the highest rate; the last rung of the ladder is no limit."""
    best = None
    for rate in LADDERS[kind]:
        tries = (one_try(kind, rate, users, directory) for _ in range(TRIES))
        good = next((told for told in tries if told.accurate), None)
        if good is None:
            break
        best = good
    return best


def one_try(kind, rate, users, directory):
    directory = Path(tempfile.mkdtemp(dir=directory))
    driver = Driver(plan(kind, rate, users), directory, on_core_0)
    driver.start()
    time.sleep(SECONDS + 1.2)
    driver.stop()
    told = judge(rate, driver.epoch_ns, directory)
    shutil.rmtree(directory)
    print(f"  {kind} {rate}/s: {told.late_ms:.2f} ms late (P99), {told.dropped} dropped, "
          f"{told.cpu_us:.0f} µs each", file=sys.stderr)  # fmt: skip
    return told


def judge(rate, epoch_ns, directory):
    rows = read(directory).rows
    rows = rows[(rows["flags"] & Flag.FIRST > 0) & (rows["intended"] >= epoch_ns)]
    late_ms = np.quantile(rows["started"] - rows["intended"], 0.99) / 1e6
    dropped = np.count_nonzero(rows["outcome"] == Outcome.DROPPED)
    lines = map(parse, (directory / "load.0.jsonl").read_bytes().splitlines())
    cpu = [s.cpu for s in lines if isinstance(s, Status) and epoch_ns < s.at < rows["intended"][-1]]
    return Held(rate, float(late_ms), int(dropped), float(np.mean(cpu)) / rate * 1e6)


def plan(kind, rate, users):
    return LoadPlan(
        users=str(users) if kind == "locust" else "", entry="web", url=url(), counts="requests",
        rate=((0.0, float(rate)),), rate_smooth=True, poisson=False, seed=1, warmup=1.0,
        duration=SECONDS, timeout=1.0, workers=1, headers=(), run_id="rate",
        requests=() if kind == "locust" else (Request("look", "GET", "/look"),),
    )  # fmt: skip


def on_core_0(argv, log):
    return spawn_here(("taskset", "-c", "0", *argv), log)


def locust(users):
    command = [
        sys.executable, "-m", "locust", "-f", users, "--headless", "-u", "50", "-r", "50",
        "-t", "6s", "--host", url(), "--only-summary", "--csv", users.parent / "closed",
    ]  # fmt: skip
    subprocess.run(["taskset", "-c", "0", *command], capture_output=True, check=False, timeout=60)
    total = (users.parent / "closed_stats.csv").read_text().splitlines()[-1].split(",")
    return float(total[2]) / 5.0


def wrk():
    """None where there is no wrk (a Debian package)."""
    if shutil.which("wrk") is None:
        return None
    command = ["taskset", "-c", "0", "wrk", "-t1", "-c50", "-d5s", f"{url()}/look"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return next(float(line.split()[1]) for line in said.splitlines() if "Requests/sec" in line)


def print_table(held, closed):
    base = closed["locust, closed loop"]
    print(f"{'generator':24} {'per second':>11} {'ratio':>7} {'late P99':>9} {'µs each':>8}")
    for kind, told in held.items():
        if told is None:
            print(f"{kind + ', open loop':24} {'none held':>11}")
            continue
        print(f"{kind + ', open loop':24} {told.rate:11,.0f} {told.rate / base:7.2f} "
              f"{told.late_ms:6.2f} ms {told.cpu_us:8.0f}")  # fmt: skip
    for name, rate in closed.items():
        if rate is None:
            print(f"{name:24} {'not here':>11}")
        else:
            print(f"{name:24} {rate:11,.0f} {rate / base:7.2f}")


def url():
    return f"http://127.0.0.1:{PORT}"


@contextmanager
def answering():
    core = "1" if (os.cpu_count() or 1) > 1 else "0"
    server = subprocess.Popen(
        ["taskset", "-c", core, sys.executable, HERE / "answerer.py", str(PORT)]
    )
    try:
        time.sleep(1.0)
        yield
    finally:
        with suppress(ProcessLookupError):
            server.kill()
        server.wait()


if __name__ == "__main__":
    main()
