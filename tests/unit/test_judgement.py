"""Objectives judged: exact counts, bounds, and the words for them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import (
    EPOCH,
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

from harness.clock import Epoch
from harness.experiment.objectives import read_objective
from harness.load.recording import Flag, Outcome
from harness.measure.claims import Count, allowed, fewest, in_general, of_this_run
from harness.measure.evidence import Evidence
from harness.measure.observation import Observation
from harness.measure.windows import windows_of
from harness.verdict import doubtful, judge, judge_all, plan_problems, undecidable
from harness.verdict.wording import percent


def judged(line, made, timeout_s=10.0, told=None, effects=()):
    told = told or steps(*ends())
    seen = evidence(made, plan([line], effects), told, timeout_s=timeout_s)
    return judge(seen.plan.objectives[0], seen.observation, seen.windows)


def one(line, made, **given):
    (judgement,) = judged(line, made, **given)
    return judgement


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize(
    ("count", "target", "strict", "most"),
    [
        (1000, 0.999, False, 1),
        (999, 0.999, False, 0),
        (1000, 0.999, True, 0),
        (1001, 0.999, True, 1),
        (200, 0.995, False, 1),
        (10**6, 0.99999, False, 10),
        (100, 1.0, False, 0),
        (100, 1.0, True, -1),
    ],
)
def test_allowed_failures_are_exact(count, target, strict, most):
    assert allowed(count, target, strict=strict) == most


@pytest.mark.parametrize(
    ("target", "least"),
    [
        (0.99, 100),
        (0.999, 1000),
        (0.9999, 10_000),
        (0.99999, 100_000),
        (0.995, 200),
        (0.5, 2),
        (1.0, 1),
    ],
)
def test_one_failure_is_allowed_from_so_many_requests_on(target, least):
    assert fewest(target) == least
    if target < 1:
        assert fewest(target, strict=True) == least + 1


@pytest.mark.parametrize(
    ("good", "count", "said"),
    [
        (1000, 1000, ("pass", 0)),
        (999, 1000, ("pass", 0)),
        (998, 1000, ("fail", 0)),
        (999, 999, ("inconclusive", 1)),
        (998, 999, ("inconclusive", 1)),
        (0, 0, ("inconclusive", 1000)),
        (600, 999, ("fail", 0)),
    ],
)
def test_a_claim_about_this_run_is_counted(good, count, said):
    assert of_this_run(Count(good, count, 0.999)) == said


def test_every_request_decides_where_no_failure_is_allowed():
    assert of_this_run(Count(1, 1, 1.0)) == ("pass", 0)
    assert of_this_run(Count(0, 1, 1.0)) == ("fail", 0)
    assert of_this_run(Count(0, 0, 1.0)) == ("inconclusive", 1)


@pytest.mark.parametrize(
    ("failures", "count", "said"),
    [
        (0, 299_572, ("pass", 0)),
        (0, 299_571, ("inconclusive", 1)),
        (1, 5_129, ("fail", 0)),
        (1, 5_130, ("inconclusive", 474_385 - 5_130)),
        (7, 300_000, ("fail", 0)),
        (0, 0, ("inconclusive", 299_572)),
    ],
)
def test_a_claim_in_general_is_bounded(failures, count, said):
    assert in_general(Count(count - failures, count, 0.99999), 0.95) == said


def test_five_nines_of_a_real_recording():
    clean = one("availability >= 99.999% at 95%", steady(30, rate=10_000))
    assert (clean.verdict, clean.count, clean.proves) == (
        "pass",
        300_000,
        "proves 99.999 % at 95 %",
    )
    short = one("availability >= 99.999% at 95%", steady(30))
    assert (short.verdict, short.needed) == ("inconclusive", 299_572 - 6_000)
    assert short.says == (
        "All 6,000 requests were good; that neither proves nor refutes it at 95 %: 293,572 more "
        "needed, without a failure, 24 min 28 s at this rate."
    )
    assert short.claim == "general"


# ---------------------------------------------------------------- the freeze


def test_a_two_second_freeze_is_seen_as_it_was():
    """2 s of 20 s at 200/s: what a closed-loop tool reports as P99 7 ms and 99.4 % good."""
    p99 = one("p99 < 250ms", frozen())
    assert (p99.verdict, round(p99.value, 9), p99.count) == ("fail", 1.8, 4000)
    assert p99.good == 4000 - 351
    assert p99.says == "P99 was 1.8 s; 351 of 4,000 requests took too long or failed; 40 allowed."
    late = one("availability >= 99%", frozen(), timeout_s=1.0)
    assert (late.verdict, late.value, late.good) == ("fail", 0.95, 3801 - 1)
    assert late.says == "200 of 4,000 requests failed; 40 allowed."


def test_failures_are_slower_than_any_limit():
    found = one("p99 < 250ms", failing(steady(30, took=0.084), 3.0, 3.6))
    assert (found.verdict, found.value) == ("fail", math.inf)
    assert found.says == "2 % failed; P99 of successes 84 ms; 60 allowed."


def test_quick_failures_do_not_make_it_fast():
    made = rows(np.arange(1000) / 100, 0.5)
    made["ended"][:900] = made["intended"][:900] + 1_000_000
    made["outcome"][:900] = Outcome.REFUSED
    assert one("p50 < 100ms", made).verdict == "fail"


# ---------------------------------------------------------------- each indicator


def test_availability_at_its_very_limit():
    made = failing(steady(5), 1.0, 1.02)
    made = failing(made, 2.0, 2.005)
    assert one("availability >= 99.5%", made).verdict == "pass"
    assert one("availability > 99.5%", made).verdict == "fail"
    assert one("errors <= 0.5%", made).verdict == "pass"
    assert one("errors < 0.5%", made).verdict == "fail"
    found = one("errors <= 0.5%", made)
    assert (found.good, found.count, round(found.value, 6)) == (995, 1000, 0.005)
    assert 0.0005 < found.low < 0.005 < found.high < 0.019
    assert found.proves == "proves at most 1.9 % at 95 %"  # the five came in two bursts


def test_latency_shows_its_bounds():
    found = one("p99 < 250ms", steady(30))
    assert (found.verdict, found.unit, found.value) == ("pass", "s", pytest.approx(0.005))
    assert found.proves == "proves P99 of at most 5 ms at 95 %"
    few = one("p99 < 250ms", steady(1, rate=200))
    assert (few.verdict, few.high, few.proves) == (
        "pass",
        math.inf,
        "proves no bound of P99 at 95 %",
    )


def test_too_few_requests_are_inconclusive_with_how_many_more():
    found = one("p99 < 250ms", steady(1, rate=60))
    assert (found.verdict, found.needed) == ("inconclusive", 40)
    assert "40 more needed" in found.says
    again = one("p99 < 250ms", steady(1.7, rate=60))
    assert again.verdict == "pass"


def test_names_and_journeys():
    made = np.concatenate(
        [
            steady(10),
            failing(rows(np.arange(100) / 10, 0.01, name=1), 0, 5),
            rows(np.arange(200) / 20, 0.02, Outcome.CONTENT, flags=Flag.JOURNEY),
            rows(np.arange(50), 0.02, Outcome.CONTENT, flags=Flag.UNJUDGED),
        ]
    )
    assert one("availability(pay) >= 90%", made).value == 0.5
    assert one("availability(browse) >= 90%", made).value == 1.0
    assert one("availability(journeys) >= 50%", made).value == 0.0
    assert one("availability >= 50%", made).count == 2100
    missing = one("errors(buy) < 1%", made)
    assert missing.verdict == "inconclusive"
    assert missing.says == "No buy requests at all; there were: browse, pay."


def test_journeys_have_no_timeout_of_their_own():
    made = rows(np.arange(200) / 20, 3.0, flags=Flag.JOURNEY)
    assert one("availability(journeys) >= 99%", made, timeout_s=1.0).verdict == "pass"


def test_throughput_counts_successes_by_when_they_ended():
    made = failing(steady(30), 0.0, 15.0, every=2)
    found = one("throughput >= 140/s", made)
    assert (found.verdict, found.value, found.unit) == ("pass", pytest.approx(150, abs=0.1), "/s")
    assert one("throughput >= 160/s", made).verdict == "fail"
    assert one("throughput >= 1/s", rows([], [])).verdict == "inconclusive"


# ---------------------------------------------------------------- windows and recovery

SLOW = effect()
LIFE = steps(*life(), *ends())


def test_an_objective_is_judged_in_its_window():
    made = failing(steady(30), 10.0, 10.5)
    found = {
        line: one(line, made, told=LIFE, effects=[SLOW])
        for line in (
            "availability >= 99% baseline",
            "availability >= 99% during slow-db",
            "errors < 1% after slow-db",
            "availability >= 90%",
        )
    }
    assert [f.verdict for f in found.values()] == ["pass", "fail", "pass", "pass"]
    assert [f.window for f in found.values()] == [
        "baseline",
        "during slow-db",
        "after slow-db",
        "from the first fault",
    ]
    assert found["availability >= 90%"].start_s == 8.0
    assert "for this one fault only" not in found["availability >= 99% baseline"].proves
    assert found["availability >= 90%"].proves.endswith("for this one fault only")


def test_during_alone_holds_for_each_fault():
    effects = [SLOW, effect("cut/api-0", at=20.0)]
    told = steps(*life(), *life("cut/api-0", begun=20.0, gone=25.0), *ends())
    found = judged("p99 < 1s during", failing(steady(30), 20.0, 25.0), told=told, effects=effects)
    assert [(f.window, f.verdict) for f in found] == [
        ("during slow-db", "pass"),
        ("during cut", "fail"),
    ]


def test_what_never_began_is_inconclusive():
    found = one("availability >= 99% during slow-db", steady(30), effects=[SLOW])
    assert (found.verdict, found.needed) == ("inconclusive", 100)
    assert found.says == "There was no time during slow-db in this run."


@pytest.mark.parametrize(
    ("until", "verdict", "value", "says"),
    [
        (8.0, "pass", None, "Never impacted."),
        (12.0, "pass", 0.0, "Recovered before"),
        (20.0, "pass", 2.0, "Recovered after 2 s, held for 5 s (resolution 5 ms)."),
        (23.5, "fail", 5.5, "Recovered after 5.5 s"),
        (29.0, "fail", None, "Not recovered within 11 s."),
    ],
)
def test_recovery_after_a_condition(until, verdict, value, says):
    made = failing(steady(30), 8.5, until)
    found = one("recovery < 5s after slow-db", made, told=LIFE, effects=[SLOW])
    assert (found.verdict, found.window) == (verdict, "after slow-db")
    assert found.says.startswith(says)
    if value is not None:
        assert found.value == pytest.approx(value, abs=0.006)


def test_a_run_that_ended_too_early_to_tell_recovery():
    told = steps(*life(gone=26.0), *ends())
    found = one(
        "recovery < 5s after slow-db", failing(steady(30), 9.0, 29.0), told=told, effects=[SLOW]
    )
    assert found.verdict == "inconclusive"
    assert found.needed > 0
    assert "takes more time to settle" in found.says


def test_recovery_of_an_event_and_while_it_is_on():
    kill = effect("kill/api-0", event=True, lasts=0.0)
    made = failing(steady(30), 8.1, 11.0)
    found = one("recovery < 5s after kill", made, told=steps(*acted(), *ends()), effects=[kill])
    assert (found.verdict, found.value) == ("pass", pytest.approx(3.0, abs=0.01))
    healed = one("recovery < 3s while slow-db", made, told=LIFE, effects=[SLOW])
    assert (healed.window, healed.value) == ("while slow-db", pytest.approx(2.0, abs=0.01))
    assert healed.end_s == 17.5


# ---------------------------------------------------------------- invariance

LINES = [
    "availability >= 99.9% baseline",
    "availability >= 99% during slow-db",
    "p99 < 250ms",
    "p95(pay) < 20ms",
    "errors < 1% baseline at 95%",
    "throughput > 100/s",
    "recovery < 5s after slow-db",
]


def noisy(seed):
    draw = np.random.default_rng(seed)
    made = rows(np.sort(draw.uniform(-1, 30, 2000)), draw.lognormal(-4, 1, 2000))
    made["name"] = draw.integers(0, 2, 2000)
    made["outcome"] = np.where(draw.random(2000) < 0.01, Outcome.STATUS, Outcome.OK)
    slow = (made["intended"] >= EPOCH.mono_ns + 8_000_000_000) & (draw.random(2000) < 0.1)
    made["ended"][slow] += 400_000_000
    return made


def verdicts(made, told=LIFE, epoch=EPOCH):
    planned = plan(LINES, [SLOW])
    seen = Observation(made, ("browse", "pay"), epoch, 1.0)
    found = judge_all(Evidence(planned, told, seen, windows_of(planned, told, seen)))
    return [
        (j.text, j.verdict, j.good, j.count, j.needed, j.value and round(j.value, 6)) for j in found
    ]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_neither_order_nor_workers_matter(seed, workers):
    made = noisy(seed)
    shuffled = made[np.random.default_rng(seed).permutation(len(made))]
    shuffled["worker"] = np.arange(len(made)) % workers
    assert verdicts(shuffled) == verdicts(made)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(-900, 10**6))
def test_nor_does_the_hour(seed, shift_s):
    made, shift = noisy(seed), shift_s * 1_000_000_000
    moved = made.copy()
    for column in ("intended", "started", "ended"):
        moved[column] += shift
    told = tuple(type(s)(s.number, s.at + shift, s.step, s.effect, s.data) for s in LIFE)
    epoch = Epoch(EPOCH.mono_ns + shift, EPOCH.wall_ns)
    assert verdicts(moved, told, epoch) == verdicts(made)


@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([0.5, 0.9, 0.99, 0.995, 0.999]))
def test_one_more_failure_never_helps(failures, count, target):
    failures = min(failures, count - 1)
    rank = {"pass": 0, "inconclusive": 1, "fail": 2}
    for decide in (of_this_run, lambda c: in_general(c, 0.95)):
        now = decide(Count(count - failures, count, target))[0]
        worse = decide(Count(count - failures - 1, count, target))[0]
        assert rank[worse] >= rank[now]


# ---------------------------------------------------------------- before the run


@pytest.mark.parametrize(
    ("line", "expected", "says"),
    [
        ("availability >= 99% during x at 95%", 5000, "one fault is one draw"),
        ("recovery < 5s after x at 95%", 5000, "one fault is one draw"),
        ("p99 < 1s at 95%", 5000, "one fault is one draw"),
        ("availability >= 99% baseline at 95%", 5000, ""),
        ("availability >= 100% baseline at 95%", 5000, "no number of requests"),
        ("availability >= 100% baseline", 5000, ""),
        ("availability > 100% baseline", 5000, "nothing is better"),
        ("errors < 0% baseline", 5000, "nothing is better"),
        ("p99 < 0ms", 5000, "nothing is below 0"),
        ("p99 < 10ms baseline", 0, "no request is due"),
        ("p99 < 10ms baseline", 10, ""),
    ],
)
def test_what_no_result_could_decide(line, expected, says):
    assert says in undecidable(read_objective(line), expected)
    assert bool(says) == bool(undecidable(read_objective(line), expected))


def test_a_plan_is_looked_at_window_by_window():
    lines = [
        "availability >= 99.9% baseline",
        "availability >= 99.99% during slow-db",
        "availability >= 99.99% after slow-db",
        "p99 < 1s during slow-db at 95%",
        "p99 < 1s during kill",
        "recovery < 5s",
    ]
    effects = [SLOW, effect("kill/api-0", at=25.0, lasts=0.0, event=True)]
    found = plan_problems(plan(lines, effects), lambda begin, end: 200 * (end - begin))
    assert [r.split(":")[0] for r in found.refusals] == ["p99 < 1s during slow-db at 95%"]
    assert [w.split(": ")[1][:13] for w in found.warnings] == ["about 2,000 r", "about 2,400 r"]
    cold = plan(["p99 < 1s baseline"], [effect(at=0.0)])
    assert "no request is due" in plan_problems(cold, lambda a, b: 200 * (b - a)).refusals[0]


def test_without_faults_the_whole_run_may_prove():
    assert undecidable(read_objective("p99 < 1s at 95%"), 5000, faults=False) == ""


@pytest.mark.parametrize(
    ("line", "least"),
    [
        ("availability >= 99.9% baseline", 1000),
        ("availability >= 99.99% baseline at 95%", 29_956),
        ("p99 < 1s", 100),
        ("p99 < 1s baseline at 95%", 299),
        ("errors < 1%", 101),
        ("recovery < 1s after x", 1),
    ],
)
def test_what_will_probably_be_inconclusive(line, least):
    assert doubtful(read_objective(line), least) == ""
    assert f"takes at least {least:,}" in doubtful(read_objective(line), least - 1)


@pytest.mark.parametrize(
    ("share", "down", "up"),
    [
        (1.0, "100 %", "100 %"),
        (0.0, "0 %", "0 %"),
        (0.95, "95 %", "95 %"),
        (0.998188, "99.81 %", "99.82 %"),
        (0.9999999, "99.99999 %", "99.99999 %"),
        (0.0123, "1.2 %", "1.3 %"),
        (0.5, "50 %", "50 %"),
    ],
)
def test_per_cents_never_round_to_the_better(share, down, up):
    assert (percent(share), percent(share, up=True)) == (down, up)
