"""Failures that cling together count as few; independent ones as many as they are."""

import numpy as np
import pytest
from made_runs import ends, evidence, failing, plan, steady, steps

from harness.measure.bursts import design_effect, design_of
from harness.verdict import judge


@pytest.mark.parametrize(
    ("places", "count", "design"),
    [
        ([], 1000, 1.0),
        ([5], 1000, 1.0),
        ([5, 600], 1000, 1.0),
        (range(400, 800), 6000, 400.0),
        ([*range(100), *range(3000, 3100)], 6000, 100.0),
        ([*range(0, 300, 3), *range(3000, 3300, 3)], 6000, 100.0),
        (range(1000), 1000, 1.0),  # nothing else ever happens: that is no burst
    ],
)
def test_the_design_effect(places, count, design):
    assert design_of(np.array(list(places), np.int64), count) == pytest.approx(design)


@pytest.mark.parametrize("bad", [0.001, 0.01, 0.1, 0.5])
def test_independent_failures_are_left_alone(bad):
    draw = np.random.default_rng(1)
    found = [design_of(np.flatnonzero(draw.random(6000) < bad), 6000) for _ in range(300)]
    assert np.mean(np.array(found) > 1) <= 0.02


def test_slow_requests_cling_together_too():
    made = steady(30)
    made["ended"][1000:1200] += 10**9
    seen = evidence(made, plan(["p99 < 250ms"]), steps(*ends()))
    assert design_effect(seen.observation.requests, 0.25) == pytest.approx(200)
    assert design_effect(seen.observation.requests) == 1.0


def test_one_outage_proves_nothing_about_the_next():
    """300 of 6,000 failed in one piece: as single draws that would refute 98 %, and prove 94 %."""
    line = "availability >= 98% at 95%"
    made = failing(steady(30), 10.0, 11.5)
    seen = evidence(made, plan([line]), steps(*ends()))
    (found,) = judge(seen.plan.objectives[0], seen.observation, seen.windows)
    assert found.verdict == "inconclusive"
    assert "came in bursts, so they count as 1 of 20" in found.says
    assert found.low < 0.8
