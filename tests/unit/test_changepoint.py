"""The cuts are the best ones, where the truth is, and none where nothing changes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.changepoint import _PRICE, _cost, _cuts, pieces, recovered_s
from harness.measure.tally import Tally


def tallied(bad, due=20, step=0.1):
    counts = np.asarray(bad, np.int64)
    dues = np.full(len(counts), due, np.int64)
    return Tally(0.0, step, dues, counts, counts, (counts,), None)


def total(due, bad, edges):
    """What a way to cut costs, each cut with its price."""
    sums = [
        float(_cost(np.array([due[a:b].sum()]), np.array([bad[a:b].sum()]))[0])
        for a, b in itertools.pairwise(edges)
    ]
    return sum(sums) + _PRICE * np.log(max(len(due), 2)) * (len(edges) - 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=9))
def test_no_other_way_to_cut_is_better(bad):
    due, bad = np.full(len(bad), 20), np.array(bad)
    inside = range(1, len(bad))
    ways = [
        (0, *cuts, len(bad))
        for count in range(len(bad))
        for cuts in itertools.combinations(inside, count)
    ]
    best = min(total(due, bad, way) for way in ways)
    assert total(due, bad, _cuts(due, bad)) == pytest.approx(best)


def test_an_outage_is_cut_out_where_it_was():
    draw = np.random.default_rng(1)
    bad = draw.binomial(20, 0.001, 300)
    bad[100:170] = 20
    found = pieces(tallied(bad))
    assert [round(p.share, 1) for p in found] == [0.0, 1.0, 0.0]
    assert (found[1].start_s, found[1].end_s) == pytest.approx((10.0, 17.0))
    assert recovered_s(tallied(bad), 0.01) == pytest.approx(17.0)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05])
def test_chance_alone_is_hardly_ever_cut(share):
    draw = np.random.default_rng(2)
    cut = sum(len(pieces(tallied(draw.binomial(20, share, 300)))) > 1 for _ in range(100))
    assert cut <= 2


def test_what_is_bad_to_the_end_has_not_recovered():
    bad = np.zeros(200, int)
    bad[100:] = 10
    assert recovered_s(tallied(bad), 0.01) is None


def test_recovery_is_found_within_half_a_second():
    """As the table in the facts: 1 to 10 s of outage, half followed by up to 5 s of 30 % errors."""
    draw, errors = np.random.default_rng(3), []
    for number in range(100):
        lasts, ragged = draw.integers(10, 100), draw.integers(0, 50) * (number % 2)
        bad = draw.binomial(20, 1e-3, 300)
        bad[80 : 80 + lasts] = 20
        bad[80 + lasts : 80 + lasts + ragged] = draw.binomial(20, 0.3, ragged)
        end = 8.0 + (lasts + ragged) / 10
        found = recovered_s(tallied(bad), 0.01)
        errors.append(abs(found - end) if found is not None else 99.0)
    assert np.quantile(errors, 0.95) <= 0.5


def test_a_long_run_is_looked_at_in_coarser_bins():
    bad = np.zeros(36_000, int)
    bad[12_000:12_600] = 20
    found = pieces(tallied(bad))
    assert found[1].start_s == pytest.approx(1200.0, abs=6.0)
    assert found[1].end_s == pytest.approx(1260.0, abs=6.0)
