"""The live view: what guard and gate see while a run goes on."""

import math

import numpy as np
import pytest
from made_runs import EPOCH, failing, frozen, ns, rows, steady

from harness.experiment.objectives import read_abort, read_objective
from harness.load.recording import Outcome
from harness.load.status import Status
from harness.measure.live import AbortWatch, LiveView


def state(at, overdue=0, **given):
    told = {
        "due": 0,
        "sent": 0,
        "dropped": 0,
        "done": 0,
        "in_flight": 0,
        "oldest_due": None,
        "overdue": overdue,
        "late_p99_ms": 0.5,
        "cpu": 0.1,
        "gc_ms": 0.0,
        **given,
    }
    return Status(at=int(ns(at)), **told)


def watched(made, until, begin=0.0, every=0.2, timeout_s=1.0, overdue=lambda at: 0):
    """Feed rows as they end; yields the view and the time after each feed."""
    view, before = LiveView(EPOCH, timeout_s, workers=1), begin
    for at in np.arange(begin + every, until + 1e-9, every):
        new = made[(made["ended"] > ns(before)) & (made["ended"] <= ns(at))]
        view.feed(new, ("browse", "pay"), {0: state(at, overdue(at))}, int(ns(at)))
        before = at
        yield view, float(at)


def last(made, until, **given):
    *_, (view, _) = watched(made, until, **given)
    return view


def test_the_last_seconds():
    live = last(steady(10), 10.0).now()
    assert (live.availability, live.errors) == (1.0, 0.0)
    assert live.p99_s == pytest.approx(0.005)
    assert live.rate == pytest.approx(200, rel=0.01)
    assert live.at_s == pytest.approx(10.0)
    assert not live.blind


def test_what_hangs_counts_before_it_ends():
    view = last(frozen(20), 9.9, overdue=lambda at: 180 if at > 9 else 0)
    live = view.now(1.0)
    assert (live.count, live.availability, live.p99_s) == (0, 0.0, math.inf)


def test_nothing_measured_is_not_zero():
    live = last(rows([], []), 1.0).now()
    assert math.isnan(live.availability)
    assert math.isnan(live.p99_s)


@pytest.mark.parametrize(
    ("line", "lasts", "aborts_at"),
    [
        ("errors > 50% for 3s", 4.0, 8.2),
        ("errors > 50% for 3s", 2.0, None),
        ("availability < 60% for 1s", 4.0, 6.2),
        ("throughput < 50/s for 2s", 4.0, 7.2),
        ("p99 > 500ms for 1s", 4.0, 6.2),
    ],
)
def test_an_abort_must_hold_for_its_whole_span(line, lasts, aborts_at):
    made, watch = (
        failing(steady(20), 5.0, 5.0 + lasts, Outcome.RESET),
        AbortWatch([read_abort(line)]),
    )
    told = next(
        ((at, why) for view, at in watched(made, 20.0) if (why := watch.look(view, at))), None
    )
    if aborts_at is None:
        assert told is None
    else:
        assert told[0] == pytest.approx(aborts_at, abs=0.21)
        assert told[1].startswith(line)


def test_a_hang_aborts_too():
    watch = AbortWatch([read_abort("errors > 50% for 2s")])
    hangs = watched(
        frozen(20, begin=5.0, lasts=10.0), 15.0, overdue=lambda at: 200 if at > 6 else 0
    )
    assert next(at for view, at in hangs if watch.look(view, at)) == pytest.approx(8.2, abs=0.41)


def gate(made, until, *lines, **given):
    return last(made, until, **given).gate([read_objective(line) for line in lines])


def test_the_gate_holds_the_baseline():
    lines = (
        "availability >= 99% baseline",
        "p99(browse) < 50ms baseline",
        "p99 < 1ms during x",
        "throughput > 150/s baseline",
    )
    assert gate(steady(10), 8.0, *lines) == ""
    why = gate(failing(steady(10), 6.0, 7.0), 8.0, *lines)
    assert why == "availability >= 99% baseline: it was 0.6667 in the last 3 s"
    assert "throughput" in gate(steady(10, rate=100), 8.0, *lines)


def test_one_failure_of_few_does_not_close_the_gate():
    assert gate(failing(steady(10), 6.0, 6.005), 8.0, "availability >= 99.99% baseline") == ""


def test_the_warmup_does_not_speak_once_it_is_over():
    cold = failing(steady(10, begin=-5.0), -5.0, 0.0)
    assert gate(cold, 2.0, "availability >= 99% baseline", begin=-5.0) == ""


def test_the_gate_is_closed_when_nothing_is_measured():
    assert gate(rows([], []), 2.0) == "no request ended in the last 3 s"


def test_a_silent_worker_is_blindness():
    view = last(steady(10), 4.0)
    view.feed(steady(0), (), {0: state(4.0)}, int(ns(9.5)))
    assert view.now().blind_s == pytest.approx(5.5)
    assert view.now().blind
    assert view.gate([]) == "a load worker was not heard for 5.5 s"


def test_a_worker_that_was_never_heard_is_too():
    view = LiveView(EPOCH, 1.0, workers=2)
    for at in (0.0, 5.5):
        view.feed(steady(0), (), {0: state(at)}, int(ns(at)))
    assert view.now().blind


def test_while_another_fault_is_on_only_blindness_counts():
    view = last(failing(steady(10), 5.0, 9.0), 8.0)
    lines = [read_objective("availability >= 99% baseline")]
    assert view.gate(lines)
    assert view.gate(lines, alone=False) == ""


def test_what_hangs_closes_the_gate():
    line = "availability >= 99% baseline"
    assert gate(steady(10), 8.0, line, overdue=lambda at: 300 if at > 7 else 0).startswith(line)
