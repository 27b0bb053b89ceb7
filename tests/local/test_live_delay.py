"""Abort conditions are judged on real load soon after they hold; what hangs counts at once."""

import contextlib
import signal
import subprocess
import sys
import threading
import time

from test_truth import HERE, ONE_PAGE, Run, answers

from harness.clock import Epoch
from harness.experiment.objectives import read_abort
from harness.load.driver import Driver, spawn_here
from harness.load.reading import Tail
from harness.measure.live import AbortWatch, LiveView

#: The promise is 250 ms after the condition has held for its span; asserted at three times that.
DELAY_S = 3 * 0.25


@contextlib.contextmanager
def loaded(path, timeout):
    run = Run(path, ONE_PAGE, (), (), rate=200.0, seconds=12.0, warmup=1.0, timeout=timeout)
    server = subprocess.Popen([sys.executable, HERE / "truth_server.py", str(run.port)])
    driver = Driver(run.plan.load, path, spawn_here)
    try:
        answers(run.port)
        driver.start()
        yield run, server, driver
    finally:
        server.send_signal(signal.SIGCONT)
        server.kill()
        server.wait()
        driver.stop(0.1)
        run.journal.close()


def aborted_after(run, driver, line, act, timeout):
    """Seconds from the act at 2 s until the condition's watch says to abort."""
    epoch = Epoch(driver.epoch_ns, 0)
    view, tail = LiveView(epoch, timeout, 1), Tail(run.directory.path)
    watch, acted = AbortWatch([read_abort(line)]), []

    def later():
        time.sleep(max(0.0, 2.0 - epoch.seconds(time.monotonic_ns())))
        act()
        acted.append(epoch.seconds(time.monotonic_ns()))

    thread = threading.Thread(target=later)
    thread.start()
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        time.sleep(0.05)
        view.feed(tail.rows(), tail.names, tail.states(), time.monotonic_ns())
        now = epoch.seconds(time.monotonic_ns())
        if now > 0 and watch.look(view, now):
            thread.join()
            return now - acted[0]
    raise AssertionError("nothing aborted")


def test_errors_abort_soon_after_they_lasted_long_enough(tmp_path):
    with loaded(tmp_path / "run", 1.0) as (run, server, driver):
        after = aborted_after(
            run, driver, "errors > 50% for 1s", lambda: server.send_signal(signal.SIGUSR1), 1.0
        )
    assert 1.0 <= after < 1.0 + DELAY_S


def test_requests_that_hang_abort_before_they_end(tmp_path):
    """Stopped, with 1 s of time each: the first is overdue 1 s later, and none ever ends."""
    with loaded(tmp_path / "run", 1.0) as (run, server, driver):
        after = aborted_after(
            run, driver, "errors > 50% for 1s", lambda: server.send_signal(signal.SIGSTOP), 1.0
        )
    assert 2.0 <= after < 2.0 + DELAY_S
