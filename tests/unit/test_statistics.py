"""Bounds against other routes to the same numbers, and against the truth they claim to hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, quantile_test

from harness.measure.statistics import (
    bounding,
    proving,
    quantile,
    quantile_high,
    quantile_low,
    rank_of,
    refuting,
    share_between,
    share_high,
    share_low,
)

COUNTS = [(0, 1), (1, 1), (0, 10), (10, 10), (3, 10), (999, 1000), (59_997, 60_000), (17, 300_000)]


@pytest.mark.parametrize(("good", "count"), COUNTS)
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_bounds_of_a_share_are_those_of_scipys_exact_test(good, count, confidence):
    both = binomtest(good, count).proportion_ci(confidence, "exact")
    assert share_between(good, count, confidence) == pytest.approx((both.low, both.high), rel=1e-9)
    low = binomtest(good, count, alternative="greater").proportion_ci(confidence, "exact").low
    high = binomtest(good, count, alternative="less").proportion_ci(confidence, "exact").high
    assert share_low(good, count, confidence) == pytest.approx(low, rel=1e-9)
    assert share_high(good, count, confidence) == pytest.approx(high, rel=1e-9)


def test_no_request_says_nothing():
    assert (share_low(0, 0), share_high(0, 0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        (0.999, {0: 2_995, 1: 4_742, 2: 6_294, 3: 7_752, 5: 10_511, 10: 16_959}),
        (0.9999, {0: 29_956, 1: 47_437, 10: 169_619}),
        (0.99999, {0: 299_572, 1: 474_385, 10: 1_696_219}),
    ],
)
def test_requests_that_prove_a_target(target, needed):
    assert {k: proving(target, k) for k in needed} == needed


def test_nothing_proves_a_hundred_per_cent():
    assert proving(1.0, 0) == 0


def test_failures_that_refute_five_nines():
    counts = (5_129, 10_000, 60_000, 300_000, 1_000_000)
    assert [refuting(0.99999, n) for n in counts] == [1, 2, 3, 7, 16]
    assert refuting(0.99999, 5_130) == 2


def test_a_hopeless_count_refutes_nothing():
    assert refuting(0.0, 10) == 11


@pytest.mark.parametrize(
    ("q", "least"), [(0.95, 59), (0.99, 299), (0.999, 2_995), (0.9999, 29_956)]
)
def test_values_for_an_upper_bound_of_a_quantile(q, least):
    assert bounding(q) == least
    assert math.isinf(quantile_high(np.arange(least - 1.0), q))
    assert quantile_high(np.arange(float(least)), q) == least - 1


@pytest.mark.parametrize(
    ("count", "slow"), [(300, 0), (1000, 4), (4000, 29), (10_000, 83), (60_000, 559)]
)
def test_slow_requests_that_still_prove_a_p99(count, slow):
    def values(slow):
        return np.where(np.arange(count) < slow, 0.2, 0.05)

    assert quantile_high(values(slow), 0.99) < 0.1 < quantile_high(values(slow + 1), 0.99)
    assert share_low(count - slow, count) >= 0.99 > share_low(count - slow - 1, count)


def test_quantile_bounds_agree_with_scipys_quantile_test():
    values = np.random.default_rng(3).lognormal(3, 0.7, 4000)
    interval = quantile_test(values, q=100, p=0.99).confidence_interval(0.9)
    assert quantile_low(values, 0.99) == pytest.approx(interval.low)
    assert quantile_high(values, 0.99) == pytest.approx(interval.high)


@pytest.mark.parametrize(("p", "count"), [(0.001, 2000), (0.01, 300), (0.2, 50)])
def test_bounds_of_a_share_cover_the_truth(p, count):
    good = np.random.default_rng(1).binomial(count, 1 - p, 4000)
    values, times = np.unique(good, return_counts=True)
    lows = np.array([share_low(int(k), count) for k in values])
    highs = np.array([share_high(int(k), count) for k in values])
    assert times[lows <= 1 - p].sum() / 4000 >= 0.94
    assert times[highs >= 1 - p].sum() / 4000 >= 0.94


def test_bounds_of_a_quantile_cover_the_truth():
    draw, truth = np.random.default_rng(2), 2.3263478740408408
    samples = draw.normal(size=(1500, 1000))
    assert np.mean([quantile_high(x, 0.99) >= truth for x in samples]) >= 0.94
    assert np.mean([quantile_low(x, 0.99) <= truth for x in samples]) >= 0.94


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.95, 0.99])
)
def test_a_quantile_is_the_smallest_value_that_enough_do_not_exceed(values, q):
    found = quantile(np.array(values), q)
    assert sum(v <= found for v in values) >= q * len(values) - 1e-9
    assert sum(v < found for v in values) < q * len(values)


def test_ranks_have_no_dust():
    assert [rank_of(100, q) for q in (0.07, 0.29, 0.57, 0.99)] == [7, 29, 57, 99]
    assert rank_of(4000, 0.99) == 3960
    assert rank_of(1, 0.5) == 1


def test_a_quantile_of_nothing():
    assert math.isnan(quantile(np.empty(0), 0.99))
