"""Which objectives stand beside the live numbers, and with which value."""

import numpy as np
import pytest
from made_runs import EPOCH, effect, failing, ns, plan, steady
from test_live import last, state

from harness.measure.live import LiveView
from harness.measure.speaking import speaking, spoken

LINES = (
    "availability >= 99.9% baseline", "p99(pay) < 900ms during slow-db", "p99 < 2s during",
    "recovery < 5s after slow-db", "errors < 1% after slow-db", "throughput >= 100/s",
)  # fmt: skip
PLAN = plan(LINES, [effect(at=8.0, lasts=10.0)])


@pytest.mark.parametrize(
    ("active", "now", "expected"),
    [
        ((), -1.0, ()),
        ((), 3.0, (0,)),
        (("slow-db",), 9.0, (1, 2, 5)),
        (("slow-db",), 18.3, (1, 2, 5)),
        ((), 25.0, (4, 5)),
    ],
)
def test_a_line_speaks_of_its_window(active, now, expected):
    said = tuple(o.text for o in speaking(PLAN, active, now))
    assert said == tuple(LINES[n] for n in expected)


def test_the_value_is_of_the_last_seconds():
    view = last(failing(steady(10), 7.0, 8.0), 8.0)
    found = {line.text: line for line in spoken(PLAN, view, (), 3.0)}
    line = found["availability >= 99.9% baseline"]
    assert line.value == pytest.approx(0.5, abs=0.01)
    assert not line.holds


def test_what_hangs_counts():
    view = last(steady(10), 4.0, overdue=lambda at: 400 if at > 3.9 else 0)
    lines = {line.text: line for line in spoken(PLAN, view, ("slow-db",), 9.0)}
    assert lines["p99 < 2s during"].value == float("inf")
    assert "p99(pay) < 900ms during slow-db" not in lines, "nothing measured, nothing said"


def test_many_rows_are_judged_without_holding_more_than_seconds():
    view = LiveView(EPOCH, 1.0, workers=1)
    made = steady(30, rate=2000)
    for at in np.arange(0.5, 30.0, 0.5):
        new = made[(made["ended"] > ns(at - 0.5)) & (made["ended"] <= ns(at))]
        view.feed(new, ("browse",), {0: state(at)}, int(ns(at)))
    assert sum(map(len, view._blocks)) <= 2000 * 5
    assert view.now().rate == pytest.approx(2000, rel=0.01)
