"""`run --until-decided`: when there is no need to go on, seen while the load goes on."""

import dataclasses

import numpy as np
import pytest
from made_runs import EPOCH, effect, failing, ns, plan, steady

from harness.run.deciding import Deciding


def looks(objectives, made, effects=(), duration=60.0, active=(), timeout=1.0):
    """The first second at which each phase is decided; `active` are (id, from, to)."""
    planned = dataclasses.replace(
        plan(objectives, effects, duration=duration, timeout=timeout), until_decided=True
    )
    deciding, found = Deciding(planned, EPOCH), {}
    for tick in range(1, int(duration * 5)):
        now = tick / 5
        new = made[(made["ended"] > ns(now - 0.2)) & (made["ended"] <= ns(now))]
        on = tuple(id for id, begin, end in active if begin <= now < end)
        if decided := deciding.feed(new, ("browse", "pay"), now, on):
            found.setdefault(decided.phase, now)
    return found


GENERAL = "availability >= 99% at 95%"


def test_a_good_service_is_proven_soon():
    """387 requests without a failure at 100/s, and the timeout for those that hang."""
    found = looks([GENERAL], steady(60, rate=100))
    assert found == {"before any fault": pytest.approx(5.0, abs=0.25)}


def test_a_bad_one_is_refuted_sooner():
    assert looks([GENERAL], failing(steady(60, rate=100), 0, 60, every=5)) == {
        "before any fault": pytest.approx(1.6, abs=0.5)
    }


def test_at_the_edge_it_goes_on():
    draw = np.random.default_rng(1)
    made = steady(60, rate=100)
    made["outcome"][draw.random(len(made)) < 0.01] = 1
    assert looks([GENERAL], made) == {}


def test_all_objectives_must_be_decided():
    assert looks([GENERAL, "throughput >= 1/s"], steady(60, rate=100)) == {}
    assert looks([GENERAL, "rollback < 30s"], steady(60, rate=100)) != {}
    assert looks(["rollback < 30s"], steady(60, rate=100)) == {}
    slower = looks([GENERAL, "availability >= 99.9%"], steady(60, rate=100))
    assert slower == {"before any fault": pytest.approx(40, abs=0.5)}


def test_those_that_hang_are_waited_for():
    """Quick ones are good, slow ones fail: whoever counted by the ending would see good ones."""
    made = steady(60, rate=100)
    made["ended"][::20] += np.int64(9e8)
    made["outcome"][::20] = 2
    assert looks([GENERAL], made)["before any fault"] < 6
    early = looks([GENERAL], made, timeout=0.01)
    assert set(early) == {"before any fault"}


SLOW = effect(at=10.0, lasts=20.0)
ON = (("slow-db", 10.0, 30.0),)


def test_each_phase_for_itself():
    lines = ["availability >= 99% baseline", "availability >= 99% during slow-db"]
    found = looks(lines, steady(60, rate=100), [SLOW], active=ON)
    assert found == {
        "before any fault": pytest.approx(5.0, abs=0.3),
        "during slow-db": pytest.approx(15.0, abs=1.5),
        "after the fault": pytest.approx(30.0, abs=0.3),
    }


def test_a_fault_lasts_as_the_file_says_when_something_is_judged_after_it():
    lines = [
        "availability >= 99% baseline",
        "availability >= 99% during slow-db",
        "recovery < 5s after slow-db",
    ]
    assert set(looks(lines, steady(60, rate=100), [SLOW], active=ON)) == {"before any fault"}
    after = [*lines[:2], "availability >= 99% after slow-db"]
    found = looks(after, steady(60, rate=100), [SLOW], active=ON)
    assert set(found) == {"before any fault", "after the fault"}
    assert found["after the fault"] == pytest.approx(35, abs=0.3)


def test_a_baseline_that_is_compared_with_is_not_cut_short():
    lines = ["availability >= 99% baseline", "p99 during slow-db < 2x baseline"]
    assert looks(lines, steady(60, rate=100), [SLOW], active=ON) == {}
