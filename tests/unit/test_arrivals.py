"""The schedule is a pure function of the plan, however many workers share it."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from harness.load.arrivals import arrivals, chance, count_between, peak_rate
from harness.record.plan import LoadPlan

rates = some.floats(0, 200, allow_nan=False)
curves = some.lists(some.tuples(some.floats(0.1, 5), rates), min_size=0, max_size=4).flatmap(
    lambda steps: some.builds(
        lambda first: tuple(
            zip(
                itertools.accumulate([0.0, *(gap for gap, _ in steps)]),
                [first, *(rate for _, rate in steps)],
                strict=True,
            )
        ),
        rates,
    )
)


def plan(rate=((0.0, 200.0),), *, smooth=True, poisson=False, seed=1, warmup=1.0, duration=4.0):
    return LoadPlan(
        users="shopper.py", entry="web", url="http://web:8080", counts="tasks", rate=rate,
        rate_smooth=smooth, poisson=poisson, seed=seed, warmup=warmup, duration=duration,
        timeout=1.0, workers=1, headers=(), run_id="r",
    )  # fmt: skip


def test_constant_rate_is_due_at_multiples():
    due = list(arrivals(plan()))
    assert len(due) == 1000
    assert [index for index, _ in due] == list(range(1000))
    assert all(at == pytest.approx(index / 200) for index, at in due)


@given(curves, some.booleans(), some.booleans(), some.integers(0, 9), some.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_workers_share_one_schedule(rate, smooth, poisson, seed, workers):
    made = plan(rate, smooth=smooth, poisson=poisson, seed=seed)
    alone = list(arrivals(made))
    shared = [a for worker in range(workers) for a in arrivals(made, worker, workers)]
    assert sorted(shared) == alone


@given(curves, some.booleans())
@settings(max_examples=100, deadline=None)
def test_arrivals_until_any_time_are_the_integral_of_the_rate(rate, smooth):
    made = plan(rate, smooth=smooth)
    dues = [due for _, due in arrivals(made)]
    assert dues == sorted(dues)
    assert all(0 <= due <= 5.0 for due in dues)
    assert abs(len(dues) - count_between(made, 0, 5.0)) <= 1
    for at in (1.0, 2.5, 4.0):
        assert abs(sum(due < at for due in dues) - count_between(made, 0, at)) <= 1 + 1e-6


def test_a_ramp_has_the_area_under_it():
    ramp = plan(((0.0, 0.0), (4.0, 100.0)), warmup=0.0, duration=4.0)
    assert count_between(ramp, 0, 4) == pytest.approx(200)
    assert count_between(ramp, 2, 4) == pytest.approx(150)
    assert len(list(arrivals(ramp))) == 200
    assert peak_rate(ramp) == 100


def test_steps_hold_until_the_next():
    steps = plan(((0.0, 10.0), (1.0, 0.0), (2.0, 50.0)), smooth=False, warmup=0.0, duration=3.0)
    dues = [due for _, due in arrivals(steps)]
    assert sum(due < 1 for due in dues) == 10
    assert sum(1 <= due < 2 for due in dues) == 0
    assert sum(due >= 2 for due in dues) == 50


def test_poisson_is_seeded_and_has_the_mean_and_the_spread():
    made = plan(poisson=True, duration=99.0)
    dues = [due for _, due in arrivals(made)]
    assert dues == [due for _, due in arrivals(made)]
    assert dues != [due for _, due in arrivals(plan(poisson=True, duration=99.0, seed=2))]
    assert len(dues) == pytest.approx(20_000, abs=5 * math.sqrt(20_000))
    gaps = [b - a for a, b in itertools.pairwise(dues)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert spread == pytest.approx(mean, rel=0.05)


def test_chance_is_even_and_belongs_to_the_arrival():
    drawn = [chance(7, index) for index in range(10_000)]
    assert all(0 <= one < 1 for one in drawn)
    assert drawn[5] == chance(7, 5) != chance(8, 5)
    for low in range(10):
        share = sum(low <= 10 * one < low + 1 for one in drawn) / len(drawn)
        assert share == pytest.approx(0.1, abs=0.02)
