"""Progress on a pipe, on a real terminal, and on one that nobody reads."""

import io
import math
import os
import pty
import re
import select
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

from harness.agent.effects import Link, LinkProfile
from harness.measure.speaking import Spoken
from harness.record.plan import Plan, PlannedEffect
from harness.report.live_view import sparkline
from harness.report.progress import Progress, Update, line_of, phase_of

EFFECT = PlannedEffect(
    "slow-db/api-0->database", "slow-db", "network.latency", "api-0->database",
    Link("api-0", "", "", ""), LinkProfile(), False, 8.0, 15.0, "wire", "delay 200ms",
)  # fmt: skip
PLAN = Plan("run", "name", "", 1, "", "", "local", (EFFECT,), (), (), None, 5.0, 33.0, 10.0, 3600.0)
DURING = Update(12.3, ("slow-db",), 200.0, 199.5, 0.9987, 243.0)


def test_phases_follow_the_timeline():
    said = [phase_of(PLAN, Update(now)) for now in (-2.0, 3.0, 30.0)]
    assert said == ["warm-up", "baseline", "settling"]
    assert phase_of(PLAN, DURING) == "during slow-db"


def test_a_line_says_where_it_is_and_what_the_users_get():
    line = line_of(PLAN, "during slow-db", DURING)
    assert line == "12 of 33 s, during slow-db: 200/s of 200/s asked, good 99.87 %, P99 243 ms"


def test_a_pipe_gets_plain_lines_when_the_phase_changes():
    out = io.StringIO()
    with Progress.on(out, PLAN) as progress:
        progress.phase("starting the system")
        time.sleep(0.6)
        for _ in range(3):
            progress.update(DURING)
            time.sleep(0.3)
    assert out.getvalue().splitlines() == [
        "starting the system",
        line_of(PLAN, "during slow-db", DURING),
    ]


@contextmanager
def terminal():
    """A real pseudo-terminal: its slave end as a stream, and what came out so far."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield stream, master
    os.close(master)


def read_all(master: int) -> str:
    """Everything until the terminal is silent: the kernel hands it over in its own time."""
    seen = b""
    while select.select([master], [], [], 0.5)[0]:
        seen += os.read(master, 65536)
    return seen.decode()


def test_a_terminal_gets_a_bar_that_is_taken_away_in_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    with terminal() as (stream, master):
        with Progress.on(stream, PLAN) as progress:
            progress.update(DURING)
            time.sleep(0.8)
        seen = read_all(master)
    assert "during slow-db" in seen
    assert "21 s left" in seen
    assert "\x1b[?25h" in seen, "the cursor is back"


def test_a_stream_that_takes_nothing_never_stops_the_run():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = b"x" * 65536
    while True:
        try:
            os.write(writer, filled)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    stream = os.fdopen(writer, "w")
    begun = time.monotonic()
    with Progress.on(stream, PLAN) as progress:
        progress.update(DURING)
        time.sleep(0.5)
    assert time.monotonic() - begun < 3 * 1.5
    os.read(reader, 1 << 20)  # lets the drawing thread end before the pipe goes
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(3)
    stream.close()
    os.close(reader)


LINES = (
    Spoken("p99(pay) < 900ms during slow-db", 0.243, "s", True),
    Spoken("availability >= 99.5% during slow-db", 0.91, "share", False),
)


def test_a_line_names_what_does_not_hold_now():
    line = line_of(PLAN, "during slow-db", replace(DURING, lines=LINES))
    assert line.endswith("P99 243 ms; not now: availability >= 99.5% during slow-db")


def test_a_terminal_shows_objectives_beside_the_live_numbers(monkeypatch):
    """Those that do not hold come first; sparklines of the last numbers; the time left."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    with terminal() as (stream, master):
        with Progress.on(stream, PLAN) as progress:
            for number in range(8):
                progress.update(replace(DURING, p99_ms=30.0 * number, lines=LINES))
            time.sleep(0.8)
        seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read_all(master))
    for expected in ("during slow-db", "21 s left", "200/s of 200/s asked", "▁▂▃▄▅▆▇"):
        assert expected in " ".join(seen.split()), seen
    missed, held = seen.index("✗ availability >= 99.5%"), seen.index("✓ p99(pay) < 900ms")
    assert missed < held
    assert "91 %" in seen[missed:held]


def test_a_sparkline_says_where_nothing_is_known():
    assert sparkline((0.0, None, math.inf, 0.5, 1.0), 0.0, 1.0) == "▁××▅█"
