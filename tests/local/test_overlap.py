"""Faults that overlap on one target: each comes and goes on its own, and adds to the others.

Seen by the load: what its requests took while the one, both, or the other was on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_sabotage import run
from worlds import WHY_NOT

from harness.measure.evidence import gather
from harness.measure.passages import passages
from harness.record.directory import RunDirectory

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no local world: {WHY_NOT}")

EDGE = "from: front, to: back"
OVERLAPPING = [
    f"id: late, at: 2s, for: 6s, fault: network.latency, {EDGE}, delay: 60ms",
    f"id: lossy, at: 5s, for: 6s, fault: network.loss, {EDGE}, loss: 20%",
    f"id: slow-link, at: 14s, for: 6s, fault: network.latency, {EDGE}, delay: 60ms",
    f"id: slow-answer, at: 17s, for: 6s, fault: dependency.latency, {EDGE}, delay: 80ms",
    f"id: again, at: 26s, for: 5s, fault: network.latency, {EDGE}, delay: 40ms, direction: back",
    "id: other, at: 28s, for: 5s, fault: network.latency, target: back, delay: 40ms",
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """How the run ended, each passage by its id, and the typical request in a span, in seconds."""
    found = run("honest", OVERLAPPING, tmp_path_factory.mktemp("overlap") / "run")
    evidence = gather(RunDirectory(Path(found["directory"])))
    epoch, requests = evidence.observation.epoch, evidence.observation.requests
    known = {p.id: p for p in passages(evidence.plan, evidence.steps, epoch)}

    def typical(begin: float, end: float) -> float:
        return float(np.median(requests.took[(requests.due >= begin) & (requests.ended <= end)]))

    return found, known, typical


def test_each_is_confirmed_without_the_other(seen):
    found, _, _ = seen
    assert (found["verdict"], found["reasons"]) == ("pass", []), found["directory"]


@pytest.mark.parametrize(
    ("first", "second"), [("late", "lossy"), ("slow-link", "slow-answer"), ("again", "other")]
)
def test_each_begins_and_ends_on_its_own(seen, first, second):
    _, known, _ = seen
    a, b = known[first], known[second]
    assert a.begun < b.begun < a.gone < b.gone
    assert a.gone < b.reverting, "the first was taken back while the second went on"


def test_delays_on_the_link_and_by_the_proxy_add_up(seen):
    _, known, typical = seen
    link, answer = known["slow-link"], known["slow-answer"]
    assert 0.05 < typical(link.injected, answer.begun) < 0.09
    assert 0.13 < typical(answer.injected, link.reverting) < 0.19
    assert 0.07 < typical(link.gone, answer.reverting) < 0.12
    assert typical(answer.gone, answer.gone + 2) < 0.04


def test_delays_at_both_ends_of_a_link_add_up(seen):
    _, known, typical = seen
    here, there = known["again"], known["other"]
    assert 0.035 < typical(here.injected, there.begun) < 0.065
    assert 0.075 < typical(there.injected, here.reverting) < 0.12
    assert 0.035 < typical(here.gone, there.reverting) < 0.065
