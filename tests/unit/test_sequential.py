"""Sequential tests: how often they are wrong, however often one looks, and how soon they decide."""

from collections import Counter

import numpy as np
import pytest
from made_runs import effect, ends, evidence, failing, life, plan, steady, steps

from harness.measure.enough import exposing, sufficing
from harness.measure.sequential import clean, decide, first_decision
from harness.verdict import judge_all

REPETITIONS = 2000


def decisions(bad, target, count=20_000, seed=1):
    draw = np.random.default_rng([seed, round(bad * 1e6)])
    found, lengths = Counter(), []
    for _ in range(REPETITIONS):
        failed = np.flatnonzero(draw.random(count) < bad) + 1
        decided = first_decision(failed, count, target)
        found[decided.verdict] += 1
        lengths.append(decided.count)
    return found, float(np.median(lengths))


def test_each_error_is_rarer_than_stated():
    """At the very target either decision may be called wrong; 4.5 % of each happens."""
    found, _ = decisions(0.01, 0.99)
    assert found["pass"] <= 0.05 * REPETITIONS
    assert found["fail"] <= 0.05 * REPETITIONS


@pytest.mark.parametrize(
    ("bad", "verdict", "soon"), [(0.0, "pass", 400), (0.005, "pass", 3000), (0.02, "fail", 1500),
                                 (0.1, "fail", 100)],
)  # fmt: skip
def test_far_from_the_target_it_decides_soon(bad, verdict, soon):
    found, length = decisions(bad, 0.99)
    assert found[verdict] >= 0.95 * REPETITIONS
    assert length <= soon


def test_a_look_at_the_end_and_a_replay_agree():
    draw = np.random.default_rng(5)
    for _ in range(50):
        failed = np.flatnonzero(draw.random(3000) < 0.006) + 1
        one_by_one = next(
            (d for n in range(1, 3001)
             if (d := decide(int(np.searchsorted(failed, n, "right")), n, 0.99)) != "inconclusive"),
            "inconclusive",
        )  # fmt: skip
        assert first_decision(failed, 3000, 0.99).verdict == one_by_one


def test_five_nines():
    assert clean(0, 1e-5) == 388_571
    assert decide(0, 388_571, 0.99999) == "pass"
    assert decide(0, 388_570, 0.99999) == "inconclusive"
    assert first_decision(np.array([100, 200]), 10_000, 0.99999).verdict == "fail"


def test_a_hundred_per_cent_is_refuted_once_and_never_proven():
    none = np.empty(0, np.int64)
    assert first_decision(none, 10**6, 1.0).verdict == "inconclusive"
    assert first_decision(np.array([7]), 100, 1.0).verdict == "fail"
    assert (decide(0, 10**6, 1.0), decide(1, 2, 1.0)) == ("inconclusive", "fail")


@pytest.mark.parametrize("target", [0.9, 0.99, 0.999])
def test_what_the_plan_calls_enough_is_enough(target):
    """In 19 of 20 runs: against a simulation of fixed numbers."""
    from harness.measure.claims import Count, in_general

    draw = np.random.default_rng(6)
    for count, bad, verdict in (
        (sufficing(target), (1 - target) / 2, "pass"), (exposing(target), 2 * (1 - target), "fail"),
    ):  # fmt: skip
        failures = draw.binomial(count, bad, 500)
        good = [in_general(Count(count - int(k), count, target), 0.95)[0] for k in failures]
        assert good.count(verdict) >= 0.92 * 500


# ---------------------------------------------------------------- in a verdict

LINE = "availability >= 99% baseline at 95%"


def judged(made, *told, line=LINE):
    import dataclasses

    planned = dataclasses.replace(plan([line], [effect()]), until_decided=True)
    (found,) = judge_all(evidence(made, planned, steps(*told, *life(), *ends())))
    return found


def test_a_run_that_was_ended_early_says_so_and_on_which_bound():
    early = (5.0, "decided", {"phase": "before any fault"})
    found = judged(steady(30), early)
    assert (found.verdict, found.count) == ("pass", 1599)
    assert found.says == (
        "All 1,599 requests were good; the sequential test (each error at most 5 %) proved it "
        "after 387 requests with 0 bad; ended early at 5 s, all being decided."
    )
    bad = judged(failing(steady(30), 0.0, 8.0, every=10), early)
    assert bad.verdict == "fail"
    assert "refuted it after" in bad.says


def test_undecided_it_says_what_is_missing():
    found = judged(failing(steady(30), 0.0, 8.0, every=100))
    assert (found.verdict, found.needed > 0) == ("inconclusive", True)
    assert "decided nothing" in found.says
    assert f"{found.needed:,} more needed" in found.says
