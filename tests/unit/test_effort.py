"""What a plan says it takes to prove and to disprove its objectives."""

import dataclasses

import pytest
from made_runs import effect, plan

from harness.experiment.objectives import read_objective
from harness.verdict import plan_problems
from harness.verdict.effort import efforts


def effort(line, rate=200, effects=(), *, early=False, duration=30.0):
    planned = dataclasses.replace(plan([line], effects, duration=duration), until_decided=early)
    (found,) = efforts(planned, lambda begin, end: rate * (end - begin))
    return found


def test_a_claim_in_general():
    found = effort("availability >= 99.99% at 95%")
    assert found.prove == (
        "29,956 requests in 2 min 30 s, all good; 350,000 requests in 29 min 10 s of a service "
        "twice as good"
    )
    assert found.disprove == (
        "3 bad of about 6,000; 170,000 requests in 14 min 10 s of one twice as bad"
    )
    assert effort("availability >= 99.999% at 95%").prove.startswith(
        "299,572 requests in 24 min 58 s, all good"
    )


def test_a_sequential_test_takes_a_little_more():
    found = effort("availability >= 99.999% at 95%", early=True)
    assert found.prove.startswith("388,571 requests in 32 min 23 s, all good")


def test_a_count_of_this_run():
    found = effort("availability >= 99.9%")
    assert (found.prove, found.disprove) == (
        "at least 1,000 requests in 5 s",
        "7 bad of about 6,000",
    )
    tail = effort("p99 < 250ms during slow-db", effects=[effect()])
    assert (tail.prove, tail.disprove) == (
        "at least 100 requests in 500 ms",
        "21 bad of about 2,000",
    )


def test_nobody_knows_beforehand_how_many_have_a_name():
    found = effort("errors(pay) < 0.1%")
    assert found.prove == "at least 1,001 pay requests"
    assert found.disprove == "more than 0.1 % of them bad"


@pytest.mark.parametrize(
    ("line", "prove"),
    [
        ("recovery < 5s after slow-db", "recovered within 5 s, and held for 5 s"),
        ("throughput >= 10/s during slow-db", "the whole window, 10 s"),
        ("memory(api) after slow-db < baseline + 5MiB", "the whole window, 12 s"),
        ("p99 during slow-db < 2x baseline",
         "from 299 requests in each window on, by how much they differ"),
        ("rto < 1h", ("not by this experiment: data destroyed, and the time until the restored "
         "copy is verified row by row")),
    ],
)  # fmt: skip
def test_what_is_not_counted(line, prove):
    assert effort(line, effects=[effect()]).prove == prove


def test_slices():
    line = dataclasses.replace(read_objective("availability >= 99%"), slice_s=60.0, slices=0.95)
    assert effort(line).prove == "from 20 slices on, 20 min; the window has 30 s"


def test_slow_arrivals_and_none():
    assert effort("availability >= 99.9%", rate=1).prove == "at least 1,000 requests in 16 min 40 s"
    assert effort("availability >= 99.9%", rate=0).prove == "at least 1,000 requests"


def test_what_is_measured_elsewhere_is_a_warning():
    planned = plan(["rollback < 30s", "p99 during slow-db < 1x baseline"], [effect()])
    found = plan_problems(planned, lambda begin, end: 200 * (end - begin))
    assert found.refusals == ()
    assert found.warnings == ("rollback < 30s: not measured by this experiment",)
