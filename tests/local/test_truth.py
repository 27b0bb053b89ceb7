"""Services of which the truth is known, asked by real load: the verdicts are right.

Two runs at once, each with a server, a load worker and a run directory of its own. The faults are
real (signals to the server), and the journal is written as they happen.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from harness.agent.effects import Kill, Processes, Stopped
from harness.clock import SECOND, Epoch
from harness.experiment.objectives import read_objective
from harness.load.driver import Driver, spawn_here
from harness.measure.changepoint import pieces
from harness.measure.evidence import gather
from harness.measure.recovery import Level
from harness.measure.tally import tally
from harness.record.directory import Facts, RunDirectory
from harness.record.journal import Journal
from harness.record.plan import LoadPlan, Plan, PlannedEffect
from harness.record.witness import Witnessed
from harness.report.record import record_of

HERE = Path(__file__).parent
SHAPES = ("ratio", "edge", "over", "modes", "heavy", "bursts", "step", "warming")

MANY_SHAPES = """
    from locust import FastHttpUser, tag, task
    class Visitor(FastHttpUser):
        @task
        @tag("content")
        def stale(self):
            with self.client.get("/stale", name="stale", catch_response=True) as answer:
                if answer.json()["age_s"] > 1:
                    answer.failure("an old answer")
    def asking(path):
        def ask(user):
            user.client.get("/" + path, name=path)
        return ask
    Visitor.tasks = [*Visitor.tasks, *map(asking, {shapes})]
"""
ONE_PAGE = """
    from locust import FastHttpUser, task
    class Visitor(FastHttpUser):
        @task
        def look(self):
            self.client.get("/ok", name="look")
"""
SHAPE_LINES = {
    "availability(ratio) >= 97%": "pass", "availability(ratio) >= 99%": "fail",
    "errors(ratio) < 3%": "pass", "errors(ratio) < 1%": "fail",
    "p99(edge) < 100ms": "pass", "p99(over) < 100ms": "fail",
    "p50(modes) < 60ms": "pass", "p80(modes) < 60ms": "fail", "p99(modes) < 150ms": "pass",
    "p90(heavy) < 150ms": "pass", "p90(heavy) < 70ms": "fail", "p99(heavy) < 300ms": "fail",
    "availability(stale) >= 88%": "pass", "availability(stale) >= 92%": "fail",
    "availability(bursts) >= 85%": "pass", "availability(bursts) >= 99%": "fail",
    "p99(step) < 100ms": "fail", "p40(step) < 100ms": "pass",
    "p99(warming) < 200ms": "pass",
    "availability(ratio) >= 99.9999%": "fail", "availability(edge) >= 99.99%": "inconclusive",
    "availability(ratio) >= 90% at 95%": "pass", "availability(ratio) >= 99.9% at 95%": "fail",
}  # fmt: skip
FAULT_LINES = {
    "availability >= 99% baseline": "pass",
    "availability >= 99% during stop": "fail",
    "availability >= 30% during stop": "pass",
    "p99 < 100ms during stop": "fail",
    "recovery < 500ms after stop": "pass",
    "availability >= 99% during break": "fail",
    "recovery < 7.5s after break": "pass",
    "recovery < 6.5s after break": "fail",
}
STOP = PlannedEffect(
    "stop/shop", "stop", "process.pause", "shop", Processes("shop"), Stopped(), False, 3.0, 2.0,
    "signals", "stopped",
)  # fmt: skip
BREAK = PlannedEffect(
    "break/shop", "break", "process.kill", "shop", Processes("shop"), Kill("USR1"), True, 11.0, 0.0,
    "signals", "broken",
)  # fmt: skip
SEEN = asdict(Witnessed("state", 1, 1, "count", 1, 1, 3, True))


class Run:
    """A server, a load and a run directory; `step` writes the journal."""

    def __init__(self, path, text, lines, effects, **given):
        self.directory = RunDirectory(path)
        path.mkdir()
        self.users = path / "visitor.py"
        self.users.write_text(textwrap.dedent(text))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.plan = self.planned(lines, effects, **given)
        self.directory.write_plan(self.plan)
        self.journal = Journal(self.directory.journal)

    def planned(self, lines, effects, *, rate, seconds, warmup, timeout):
        url = f"http://127.0.0.1:{self.port}"
        load = LoadPlan(
            str(self.users), "shop", url, "tasks", ((0.0, rate),), True, False, 7, warmup, seconds,
            timeout, 1, (), "truth",
        )  # fmt: skip
        objectives = tuple(map(read_objective, lines))
        return Plan(
            "truth", "truth", "", 7, "", "", "attached", effects, objectives, (), load, warmup,
            seconds, 5.0, 600.0,
        )  # fmt: skip

    def step(self, name, effect="", **data):
        self.journal.append(name, effect, **data)

    def until(self, second):
        time.sleep(max(0.0, self.epoch + second - time.monotonic()))

    @contextlib.contextmanager
    def loaded(self):
        self.server = subprocess.Popen([sys.executable, HERE / "truth_server.py", str(self.port)])
        driver = Driver(self.plan.load, self.directory.path, spawn_here)
        try:
            answers(self.port)
            driver.start()
            self.begun = driver.t0_ns
            self.epoch = driver.epoch_ns / SECOND
            wall = time.time_ns() + driver.epoch_ns - time.monotonic_ns()
            self.directory.write_facts(Facts(Epoch(driver.epoch_ns, wall), "", {}, {}))
            self.step("load.started")
            yield self
            self.until(self.plan.duration + 0.3)
            self.step("load.ended", **asdict(driver.stop()))
            self.step("run.ended")
        finally:
            self.server.send_signal(signal.SIGCONT)
            self.server.kill()
            self.server.wait()
            for child in driver._children:
                if child.poll() is None:
                    child.terminate()
            self.journal.close()


def answers(port):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not answer")


def shapes_run(path):
    text = MANY_SHAPES.format(shapes=SHAPES)
    run = Run(path, text, SHAPE_LINES, (), rate=360.0, seconds=14.0, warmup=3.0, timeout=3.0)
    with run.loaded():
        pass
    return run


def faults_run(path):
    run = Run(
        path, ONE_PAGE, FAULT_LINES, (STOP, BREAK), rate=100.0, seconds=25.0, warmup=1.0,
        timeout=1.0,
    )  # fmt: skip
    with run.loaded():
        run.until(3.0)
        run.step("injecting", STOP.id)
        run.server.send_signal(signal.SIGSTOP)
        run.step("injected", STOP.id)
        run.step("witnessed", STOP.id)
        run.until(5.0)
        run.step("reverting", STOP.id)
        run.server.send_signal(signal.SIGCONT)
        taken_back(run, STOP.id)
        run.until(11.0)
        run.step("acting", BREAK.id)
        run.server.send_signal(signal.SIGUSR1)
        run.step("acted", BREAK.id)
        run.step("witnessed", BREAK.id)
        taken_back(run, BREAK.id)
    return run


def taken_back(run, effect):
    run.step("reverted", effect)
    run.step("judged", effect, witnessed=[SEEN], confirmed=True)
    run.step("exercised", effect, count=1, unit="processes")
    run.step("gone", effect)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Both at once: 26 s."""
    where = tmp_path_factory.mktemp("truth")
    with ThreadPoolExecutor(2) as pool:
        shapes = pool.submit(shapes_run, where / "shapes")
        faults = pool.submit(faults_run, where / "faults")
        return {"shapes": shapes.result(), "faults": faults.result()}


@pytest.fixture(scope="module")
def records(runs):
    return {name: record_of(run.directory) for name, run in runs.items()}


def judged(record, text):
    return next(o for o in record.objectives if o.text == text)


@pytest.mark.parametrize("text", SHAPE_LINES)
def test_verdicts_on_services_of_known_shape(records, text):
    found = judged(records["shapes"], text)
    assert found.verdict == SHAPE_LINES[text], found.says


@pytest.mark.parametrize("text", FAULT_LINES)
def test_verdicts_on_faults_of_known_length(records, text):
    found = judged(records["faults"], text)
    assert found.verdict == FAULT_LINES[text], found.says


def test_a_constant_error_ratio_is_what_it_is(records):
    assert judged(records["shapes"], "errors(ratio) < 3%").value == pytest.approx(0.02, abs=0.004)
    assert judged(records["shapes"], "availability(stale) >= 88%").value == pytest.approx(
        0.9, abs=0.005
    )


def test_quantiles_are_those_of_the_service(records):
    """Pareto, scale 20 ms, shape 1.5: P90 is 93 ms, P99 431 ms."""
    assert judged(records["shapes"], "p90(heavy) < 150ms").value == pytest.approx(0.0928, rel=0.25)
    assert judged(records["shapes"], "p99(heavy) < 300ms").value == pytest.approx(0.431, rel=0.3)
    assert judged(records["shapes"], "p80(modes) < 60ms").value == pytest.approx(0.082, abs=0.02)


def test_the_warmup_decides_nothing_and_would_have(runs):
    run = runs["shapes"]
    evidence = gather(run.directory)
    everything = evidence.observation.of("warming")
    assert np.mean(everything.latency > 0.2) > 0.05
    assert np.mean(everything.latency[everything.due >= 0] > 0.2) < 0.01


def test_a_step_is_found_where_it_was(runs):
    """The first request came with the load, 3 s before second 0; the step 10 s after it."""
    requests = gather(runs["shapes"].directory).observation.of("step")
    found = pieces(tally(requests, (Level(0.1, 0.99),), -3.0, 14.0))
    assert [round(piece.share) for piece in found] == [0, 1]
    assert found[1].start_s == pytest.approx(7.0, abs=0.35)


def test_a_stop_is_felt_as_long_as_it_was(records):
    """100/s, stopped for 2 s, timeout 1 s: those of its first second fail, and those that were due
    later had their answers in time, though only because the server went on.
    """
    impact = next(i for i in records["faults"].impacts if i.intervention == "stop")
    assert impact.failed == pytest.approx(100, abs=12)
    assert impact.after_s < 0.1
    assert impact.bad_seconds == pytest.approx(2, abs=1)
    assert impact.healed_s == pytest.approx(-1.0, abs=0.15)
    assert not impact.by_itself


def test_recovery_took_exactly_seven_seconds(records):
    recovery = next(r for r in records["faults"].recoveries if r.intervention == "break")
    assert recovery.at_s - recovery.from_s == pytest.approx(7.0, abs=0.2)
    impact = next(i for i in records["faults"].impacts if i.intervention == "break")
    assert impact.healed_s == pytest.approx(7.0, abs=0.2)
    assert impact.changed_s == pytest.approx(7.0, abs=0.4)
    assert impact.failed == pytest.approx(700, abs=25)


def test_the_error_budget_of_seven_seconds(records):
    """7 s of the 25,920 s that the objective of 99 % leaves in 30 days."""
    impact = next(i for i in records["faults"].impacts if i.intervention == "break")
    assert impact.budget_target == 0.99
    assert impact.budget_share == pytest.approx(7 / 25920, rel=0.05)
    assert impact.budget_most == pytest.approx(3702, rel=0.05)


def test_a_tag_counts_its_tasks(records):
    tagged = [n for n in records["shapes"].names if n.kind == "tag"]
    assert [n.name for n in tagged] == ["content"]
    assert tagged[0].availability == pytest.approx(0.9, abs=0.01)
    named = [n for n in records["shapes"].names if n.kind == "name" and n.name == "ratio"]
    assert named[0].goodput / named[0].throughput == pytest.approx(0.98, abs=0.005)
