"""The generator's judgement of itself: what is beyond its limits, and what it could have held."""

import numpy as np
import pytest
from made_runs import EPOCH, rows

from harness.load.recording import Flag, Outcome
from harness.load.self_check import Limits, limits_for, states_of, weaknesses
from harness.load.sent import Pace, Sent
from harness.load.status import Status, StatusFile
from harness.load.stored import Held

LIMITS = Limits(late_s=0.01, stall_s=0.25)
FINE = rows(np.arange(2000) / 200, 0.01, late=0.001)


def sent(made):
    return Sent(Held(made), EPOCH.mono_ns)


def state(at_s, worker=0, **given):
    fields = {
        "due": 1, "sent": 1, "dropped": 0, "done": 1, "in_flight": 0, "oldest_due": None,
        "overdue": 0, "late_p99_ms": 0.1, "cpu": 0.3, "gc_ms": 0.0,
    }  # fmt: skip
    return worker, Status(at=EPOCH.mono_ns + round(at_s * 1e9), **{**fields, **given})


def told(*, until=10.0, **at):
    """A state each 200 ms; `at` maps a second (`at_3`) to what was otherwise then."""
    odd = {float(name[3:]): given for name, given in at.items()}
    seconds = np.arange(0, until, 0.2).round(1)
    return [state(second, **odd.get(second, {})) for second in seconds]


def test_a_generator_that_kept_up_has_no_weakness():
    assert weaknesses(sent(FINE), told(at_3={"gc_ms": 8.0}, at_4={"stall_ms": 200.0}), LIMITS) == ()
    assert weaknesses(sent(FINE[:0]), [], LIMITS) == ()


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        (
            told(at_3={"stall_ms": 400.0}),
            "generator stalled: load worker 0 stood still for 400 ms, 250 ms allowed",
        ),
        (
            told(at_3={"stall_ms": 400.0, "gc_ms": 390.0}),
            (
                "generator stalled: load worker 0 stood still for 400 ms (garbage collection), "
                "250 ms allowed"
            ),
        ),
        (
            told(**{f"at_{second}": {"stall_ms": 80.0} for second in (1, 3, 4, 6)}),
            "generator stalled: load worker 0 stood still for 3.3% of the time, 1% allowed",
        ),
        (
            [state(second, 1, cpu=0.99, late_p99_ms=3.0) for second in np.arange(0, 6, 0.2)],
            "generator out of processor time: load worker 1 used more than 97% of its core for 5 s",
        ),
    ],
)
def test_pauses_and_processor(states, reason):
    (found,) = weaknesses(sent(FINE), states, LIMITS)
    assert found == f"{reason}; it was on time in 10 of 10 s, so something else disturbed it"


def test_a_busy_moment_is_not_a_busy_generator():
    seconds = np.arange(0, 30, 0.2)
    busy = [state(s, cpu=0.99 if s % 4 < 3 else 0.5, late_p99_ms=3.0) for s in seconds]
    assert weaknesses(sent(FINE), busy, LIMITS) == ()


def test_a_worker_that_spins_and_is_on_time_is_not_busy():
    spinning = [state(second, cpu=1.0, late_p99_ms=0.02) for second in np.arange(0, 30, 0.2)]
    assert weaknesses(sent(FINE), spinning, LIMITS) == ()


def test_the_rate_that_could_have_been_held():
    """Asked 100/s more each second; on time up to 500/s, then ever later."""
    due = np.concatenate(
        [second + np.arange(100 * second) / (100 * second) for second in range(1, 10)]
    )
    late = np.where(due < 6, 0.001, 0.02 + (due - 6) / 2)
    made = rows(due, late + 0.01, late=late)
    assert sent(made).pace(0.01).rate == 500
    (reason,) = weaknesses(sent(made), [], LIMITS)
    assert reason.startswith("generator late: P99 of sending was 1.")
    assert sent(made).count == 4500


def test_of_one_that_was_never_on_time_the_rate_is_a_guess():
    due = np.arange(4000) / 1000
    made = rows(due, 5.0, late=due + 0.05)  # half as quick as it should be
    assert sent(made).pace(0.01) == Pace(1000, 0.75 * 500, 0, 9)
    assert weaknesses(sent(made), [], LIMITS)[0].endswith("could have held about 380/s")


def test_dropped_arrivals_count_wherever_they_were_seen():
    made = FINE.copy()
    made["outcome"][5:7] = Outcome.DROPPED
    assert weaknesses(sent(made), [], LIMITS)[0].startswith("generator overloaded: 2 arrivals")
    assert weaknesses(sent(made), [], LIMITS, 9)[0].startswith("generator overloaded: 9 arrivals")


def test_limits_come_from_what_is_to_be_judged():
    assert limits_for([0.25, 0.9], 1.0) == Limits(0.025, 0.25)
    assert limits_for([0.01], 0.1) == Limits(0.005, 0.1)
    assert limits_for([], 2.0) == Limits(0.2, 0.5)


def test_the_warm_up_and_requests_after_the_first_are_not_judged():
    made = np.concatenate([
        rows(np.arange(-2, 0, 0.01), 1.0, late=0.9), FINE,
        rows(np.arange(0, 9, 0.01), 1.0, late=0.9, flags=0),
    ])  # fmt: skip
    assert weaknesses(sent(made), [], LIMITS) == ()
    assert Flag.FIRST in made["flags"]


def test_states_are_read_worker_by_worker_in_their_span(tmp_path):
    for worker in (0, 1):
        file = StatusFile(tmp_path, worker)
        file.event("ready")
        for second in (-1.0, 1.0, 2.0, 11.0):
            file.state(state(second, worker)[1])
    begin, end = EPOCH.mono_ns, EPOCH.mono_ns + 10**10
    assert [w for w, _ in states_of(tmp_path, begin, end)] == [0, 0, 1, 1]
