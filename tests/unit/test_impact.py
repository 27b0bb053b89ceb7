"""What a fault cost its users, on runs of which that is known."""

import numpy as np
import pytest
from made_runs import (
    acted,
    effect,
    ends,
    evidence,
    failing,
    frozen,
    life,
    plan,
    rows,
    steady,
    steps,
)

from harness.load.recording import Outcome
from harness.measure.impact import budget, impacts
from harness.report.beyond import impacts_of
from harness.report.findings import findings


def faulty(made, *objectives, told=None, timeout_s=1.0, **kind):
    planned = plan(objectives, [effect(**kind)], duration=30.0, timeout=timeout_s)
    return evidence(made, planned, steps(*(told or life()), *ends()), timeout_s=timeout_s)


def impact(*given, **more):
    return impacts(faulty(*given, **more))[0]


def said(seen):
    return {f.kind: f for f in findings(impacts_of(seen), seen.windows.recoveries, (), ())}


def test_an_outage_within_a_fault():
    """All fail from 10 s to 14 s; the fault was on from 8 s (injected 8.01) to 18 s."""
    found = impact(failing(steady(30), 10.0, 14.0))
    assert (found.bad, found.failed, found.count) == (800, 800, 200 * 22)
    assert found.after_s == pytest.approx(1.99)
    assert found.bad_seconds == 4
    assert found.lost == 800
    assert found.healed_s == pytest.approx(-4.0, abs=0.01)
    assert found.changed_s == pytest.approx(-4.0, abs=0.11)
    assert (found.by_itself, found.recovered, found.disagrees) == (True, True, False)


def test_nothing_happened():
    found = impact(steady(30))
    assert (found.bad, found.bad_seconds, found.lost, found.budget.share) == (0, 0, 0.0, 0.0)
    assert (found.after_s, found.healed_s, found.changed_s, found.budget.most) == (None,) * 4
    assert said(faulty(steady(30)))["impact"].says == "No request of 4,400 was bad."


def test_what_was_usual_before_is_not_lost_by_the_fault():
    """Every hundredth fails all the time; during the fault every tenth."""
    made = failing(failing(steady(30), 0.0, 30.0, every=100), 8.0, 18.0, every=10)
    found = impact(made, "availability >= 98% baseline")
    assert found.failed == pytest.approx(200 + 24, abs=2)
    assert found.lost == pytest.approx(200 - 20, abs=3)
    assert found.bad_seconds == 10


def test_slow_is_bad_and_not_failed():
    due = np.arange(6000) / 200
    made = rows(due, np.where((due >= 9) & (due < 12), 0.4, 0.005))
    found = impact(made, "p99 < 100ms")
    assert (found.bad, found.failed, found.bad_seconds) == (600, 0, 3)
    assert found.budget.most is None


def test_answers_that_came_only_because_the_fault_went_are_no_healing():
    """Frozen from 16 s to 18 s: with 1 s of time, those due in the second half had good answers."""
    found = impact(failing(frozen(30, begin=16.0), 16.0, 17.0, Outcome.TIMEOUT))
    assert found.healed_s == pytest.approx(-1.0, abs=0.01)
    assert not found.by_itself


def test_never_recovered_is_a_finding_of_its_own():
    seen = faulty(failing(steady(30), 10.0, 30.0))
    found = said(seen)["not recovered"]
    assert found.grave
    assert found.says.startswith("Did not recover after the fault was removed, in the 12 s")
    assert impacts(seen)[0].healed_s is None


def test_an_event_counts_from_its_act():
    seen = faulty(
        failing(steady(30), 8.0, 15.0), told=acted(), id="kill/api-0", lasts=0.0, event=True
    )
    found = impacts(seen)[0]
    assert found.healed_s == pytest.approx(7.0, abs=0.01)
    assert found.changed_s == pytest.approx(7.0, abs=0.11)
    assert found.bad_seconds == 7


def test_the_cross_check_tells_when_it_sees_another_recovery():
    """After the outage 2 % fail until 25 s. A window of 5 s that reaches beyond that has less than
    1 % from 22.3 s on, so the rule is too early; change points see the end of it. A level of 90 %
    was held from the outage on, and both say so.
    """
    made = failing(failing(steady(30), 18.0, 25.0, every=50), 10.0, 18.2)
    strict = impact(made, "availability >= 99%")
    assert strict.healed_s == pytest.approx(4.25, abs=0.05)
    assert strict.changed_s == pytest.approx(7.0, abs=0.3)
    assert strict.disagrees
    mild = impact(made, "availability >= 90%")
    assert mild.healed_s == pytest.approx(0.2, abs=0.6)
    assert not mild.disagrees


def test_the_error_budget():
    """2.1 s of failures; 99.999 % leaves 25.92 s in 30 days."""
    found = budget(420, 2000, 10.0, plan(["availability >= 99.999% baseline"]).objectives)
    assert found.target == 0.99999
    assert found.share == pytest.approx(2.1 / 25.92)
    assert found.most == 12


@pytest.mark.parametrize(
    ("lines", "target"),
    [
        ([], 0.999),
        (["availability >= 95% during slow-db"], 0.999),
        (["availability(pay) >= 99.99% baseline"], 0.999),
        (["errors < 0.01% baseline", "availability >= 99% after slow-db"], 0.9999),
        (["availability >= 100% baseline"], 0.999),
    ],
)
def test_the_target_of_a_budget_is_the_strictest_that_holds_without_a_fault(lines, target):
    assert budget(1, 100, 1.0, plan(lines).objectives).target == target


def test_the_budget_in_words():
    found = said(faulty(failing(steady(30), 10.0, 14.0)))["budget"]
    assert found.says == (
        "Burnt 0.154 % of the error budget of 30 days at 99.9 %: at most 648 of these in 30 days."
    )
