"""Recovery of synthetic runs whose truth is known."""

import numpy as np
import pytest
from made_runs import failing, frozen, observation, rows, steady

from harness.experiment.objectives import read_objective
from harness.load.recording import Outcome
from harness.measure.recovery import WINDOW_S, Level, Span, levels, recover

FAILURES = (Level(np.inf, 0.99),)


def look(made, start=10.0, end=30.0, begun=8.0, wanted=FAILURES):
    return recover(observation(made).requests, wanted, Span("x", begun, start, end))


def test_never_impacted_is_not_zero():
    found = look(steady(30))
    assert found.how == "never impacted"
    assert found.says == "never impacted"
    assert found.impact_s is None


@pytest.mark.parametrize("lasts", [0.5, 1.0, 3.14, 7.5])
def test_an_outage_ends_when_it_ends(lasts):
    found = look(failing(steady(30), 9.0, 10.0 + lasts))
    assert found.how == "recovered"
    assert found.took_s == pytest.approx(lasts, abs=0.006)
    assert found.impact_s == pytest.approx(9.0)
    assert found.resolution_s == pytest.approx(0.005)
    assert found.window_s == WINDOW_S
    assert "held for 5 s" in found.says


def test_flapping_counts_to_its_last_end():
    made = failing(failing(steady(30), 9.0, 11.0), 13.0, 14.0)
    assert look(made).took_s == pytest.approx(4.0, abs=0.006)


def test_errors_that_fade_count_while_they_break_the_objective():
    made = failing(failing(steady(30), 9.0, 11.0), 11.0, 14.0, every=3)
    assert look(made).took_s == pytest.approx(4.0, abs=0.2)


def test_a_few_failures_in_a_held_objective_are_said():
    found = look(failing(steady(30), 9.0, 9.01))
    assert found.how == "held"
    assert found.says == "held throughout, with 2 bad of 4,400 requests"


def test_recovered_before_the_removal():
    found = look(failing(steady(30), 8.5, 9.5))
    assert (found.how, found.took_s) == ("at once", 0.0)


def test_not_recovered_is_what_was_seen_and_no_more():
    found = look(failing(steady(30), 9.0, 28.0))
    assert (found.how, found.took_s) == ("not recovered", None)
    assert found.low_s == pytest.approx(18.0, abs=0.01)
    assert found.says == "not recovered within 18 s"


def test_too_short_to_have_held():
    """Good for the last two seconds only: nobody knows whether it would have stayed so."""
    assert look(failing(steady(30), 9.0, 28.0)).how == "not recovered"
    assert look(failing(steady(30), 9.0, 24.0)).took_s == pytest.approx(14.0, abs=0.006)


def test_a_short_settle_has_a_shorter_window():
    found = look(failing(steady(14), 9.0, 10.5), end=14.0)
    assert found.window_s == 2.0
    assert found.took_s == pytest.approx(0.5, abs=0.006)


def test_no_requests_tell_nothing():
    assert look(rows([], [])).how == "unknown"
    assert look(steady(9)).how == "unknown"
    assert look(steady(30), start=29.5).how == "unknown"


def test_slow_is_bad_where_an_objective_limits_latency():
    made = frozen(30, begin=9.0, lasts=3.0)
    slow = (Level(np.inf, 0.99), Level(0.1, 0.99))
    assert look(made).how == "never impacted"
    assert look(made, wanted=slow).took_s == pytest.approx(1.9, abs=0.01)


def test_late_answers_are_failures():
    late = observation(frozen(30, begin=9.0, lasts=3.0), timeout_s=1.0).requests
    found = recover(late, FAILURES, Span("x", 8.0, 10.0, 30.0))
    assert found.took_s == pytest.approx(1.0, abs=0.01)


def test_random_outages_are_met_within_a_window_allows():
    draw, errors = np.random.default_rng(4), []
    for _ in range(40):
        lasts, fades = draw.uniform(1, 8), draw.uniform(0, 4)
        made = failing(steady(40), 10.0, 10 + lasts)
        chance = np.where(made["intended"] >= 0, draw.random(len(made)), 1)
        due = observation(made).requests.due
        bad = ((due >= 10 + lasts) & (due < 10 + lasts + fades) & (chance < 0.3)) | (chance < 1e-3)
        made["outcome"][bad] = Outcome.STATUS
        errors.append(abs(look(made, end=40.0).took_s - lasts - fades))
    assert np.quantile(errors, 0.9) < 0.5


def test_levels_come_from_objectives_on_all_requests():
    lines = [
        "availability >= 99.9% baseline",
        "availability >= 95%",
        "p99(pay) < 90ms",
        "p99 < 250ms baseline",
        "p50 < 10ms",
        "p99 < 900ms during x",
        "errors < 2% after x",
        "errors < 50% during x",
        "availability(journeys) >= 10%",
        "throughput >= 5/s",
    ]
    read = [read_objective(line) for line in lines]
    assert levels(read) == (Level(np.inf, 0.95), Level(0.25, 0.99))
    assert levels(read, while_on=True) == (Level(np.inf, 0.5), Level(0.9, 0.99))
    assert levels([]) == (Level(np.inf, 0.99),)
