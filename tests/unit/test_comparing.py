"""Two windows compared: against scipy's Fisher test, and by how often the intervals are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import effect, ends, evidence, failing, life, plan, rows, steady, steps
from scipy.stats import fisher_exact

from harness.load.ranks import Ranks
from harness.load.recording import Outcome
from harness.measure.comparing import (
    fisher_fewer,
    fisher_more,
    quantile_difference,
    rate_difference,
    share_difference,
)
from harness.measure.resources import Resources, Used
from harness.verdict import judge


@given(st.integers(1, 3000), st.integers(1, 3000), st.data())
def test_fisher_is_scipys(here, there, data):
    ours, theirs = data.draw(st.integers(0, here)), data.draw(st.integers(0, there))
    table = [[ours, here - ours], [theirs, there - theirs]]
    for test, side in ((fisher_more, "greater"), (fisher_fewer, "less")):
        expected = fisher_exact(table, side).pvalue
        assert test((ours, here), (theirs, there)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def ranks(values):
    return Ranks(lambda: [values])


def test_the_interval_of_a_quantile_difference_covers_the_truth():
    draw = np.random.default_rng(1)
    lows = highs = 0
    for _ in range(300):
        here, there = draw.lognormal(size=2000), draw.lognormal(size=2000)
        interval = quantile_difference(ranks(2 * here), ranks(there), 0.99, 2.0)
        lows += interval.low <= 0
        highs += interval.high >= 0
    assert lows >= 0.93 * 300
    assert highs >= 0.93 * 300


def test_it_is_that_of_a_bootstrap():
    draw = np.random.default_rng(2)
    here, there = draw.lognormal(size=1000), draw.lognormal(size=1500)
    found = quantile_difference(ranks(here), ranks(there), 0.95)

    def resampled(values):
        picked = draw.choice(values, (2000, len(values)))
        return np.quantile(picked, 0.95, axis=1, method="inverted_cdf")

    low, high = np.quantile(resampled(here) - resampled(there), [0.05, 0.95])
    assert found.low == pytest.approx(low, abs=0.1)
    assert found.high == pytest.approx(high, abs=0.1)
    assert quantile_difference(ranks(here), ranks(there), 0.95) == found, "seeded"


def test_failures_hold_no_limit():
    failures = Ranks(lambda: [np.empty(0)], 1000)
    assert quantile_difference(failures, failures, 0.99, 2.0).low == np.inf
    assert quantile_difference(ranks(np.ones(1000)), failures, 0.99).high == -np.inf


@pytest.mark.parametrize("share", [0.002, 0.02, 0.3])
def test_intervals_of_shares_and_rates_cover_the_truth(share):
    draw = np.random.default_rng(3)
    missed = 0
    for here, there in draw.binomial(2000, [[2 * share, share]] * 1000):
        interval = share_difference((int(here), 2000), (int(there), 2000), 2.0)
        missed += not interval.low <= 0 <= interval.high
    assert missed <= 0.1 * 1000
    rates = draw.poisson(100, (1000, 2))
    found = [rate_difference((int(a), 10), (int(b), 10)) for a, b in rates]
    assert np.mean([i.low <= 0 <= i.high for i in found]) >= 0.88


# ---------------------------------------------------------------- in a verdict

SLOW = effect()
LIFE = steps(*life(), *ends())


def judged(line, made, resources=None):
    seen = evidence(made, plan([line], [SLOW]), LIFE)
    return judge(seen.plan.objectives[0], seen.observation, seen.windows, resources)


def slowed(times):
    made = steady(30)
    during = (made["intended"] >= made["intended"][0] + 8 * 10**9) & (
        made["intended"] < made["intended"][0] + 18 * 10**9
    )
    made["ended"][during] += np.int64((times - 1) * 5e6)
    return made


def test_a_fault_that_makes_it_three_times_as_slow():
    (found,) = judged("p99 during slow-db < 2x baseline", slowed(3))
    assert (found.verdict, found.limit, found.unit) == ("fail", pytest.approx(0.01), "s")
    assert found.window == "during slow-db against baseline"
    assert found.says == "P99 was 15 ms, 5 ms in baseline: the limit is 10 ms; that is no chance."
    assert judged("p99 during slow-db < 4x baseline", slowed(3))[0].verdict == "pass"
    assert judged("p99 during slow-db < baseline + 15ms", slowed(3))[0].verdict == "pass"
    assert judged("p99 during slow-db < baseline + 5ms", slowed(3))[0].verdict == "fail"


def test_too_few_requests_are_told_from_chance_by_nothing():
    (found,) = judged("p99 during slow-db < 2x baseline", steady(30, rate=20))
    assert (found.verdict, found.needed) == ("inconclusive", 299 - 201)
    assert "too few to tell a P99 from chance" in found.says


def test_what_never_failed_compares_with_nothing():
    (found,) = judged("errors during slow-db < 2x baseline", steady(30))
    assert (found.verdict, found.needed) == ("inconclusive", 0)
    assert "a number as the limit could be decided" in found.says


def test_shares_and_rates():
    made = failing(steady(30), 0.0, 30.0, every=50)
    worse = failing(made, 8.0, 18.0, every=5)
    assert judged("errors during slow-db < 2x baseline", worse)[0].verdict == "fail"
    assert judged("errors during slow-db < 5x baseline", made)[0].verdict == "pass"
    assert judged("availability during slow-db >= baseline - 5%", made)[0].verdict == "pass"
    assert judged("availability during slow-db >= baseline - 5%", worse)[0].verdict == "fail"
    assert judged("throughput during slow-db >= 0.9x baseline", made)[0].verdict == "pass"
    assert judged("throughput during slow-db >= 0.9x baseline", worse)[0].verdict == "fail"
    (close,) = judged("throughput during slow-db >= 0.99x baseline", made)
    assert (close.verdict, close.needed > 0) == ("inconclusive", True)


def test_an_empty_window_compares_with_nothing():
    (found,) = judged("p99(buy) during slow-db < 2x baseline", steady(30))
    assert found.says == "No buy requests at all; there were: browse."
    late = rows(np.arange(20.0, 29.0, 0.01), 0.01, Outcome.OK)
    (found,) = judged("p99 after slow-db < 2x baseline", late)
    assert found.says == "No requests in baseline."


def test_memory_is_that_of_the_replica_that_held_most():
    at = np.arange(30.0)
    grown = np.where(at > 18, 180.0, 100.0) * 2**20
    used = Used("api", "api-0", at, {"memory": grown}, None)
    less = Used("api", "api-1", at, {"memory": grown / 2}, None)
    resources = Resources((used, less))
    (found,) = judged("memory(api) after slow-db < baseline + 50MiB", steady(30), resources)
    assert (found.verdict, found.unit, found.value) == ("fail", "B", 180 * 2**20)
    assert found.says == ("Memory of api was 180 MiB, 100 MiB in baseline: the limit is 150 MiB.")
    line = "memory(api) after slow-db < baseline + 90MiB"
    assert judged(line, steady(30), resources)[0].verdict == "pass"
    assert judged("memory(api) < 150MiB during", steady(30), resources)[0].verdict == "pass"
    assert judged("memory(api) < 150MiB after", steady(30), resources)[0].verdict == "fail"
    (unknown,) = judged("memory(web) < 150MiB after", steady(30), resources)
    assert (unknown.verdict, unknown.says) == (
        "inconclusive", "Nobody measured the memory of web in after slow-db.",
    )  # fmt: skip


def test_what_no_load_can_measure_is_not_passed():
    (found,) = judged("rollback < 30s", steady(30))
    assert (found.verdict, found.window, found.value) == ("inconclusive", "not measured", None)
    assert found.says.startswith("Not measured by this experiment; it takes a bad release")
