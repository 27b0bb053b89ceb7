"""Curves as people write them, and what they are at any time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.agent.effects import Curve
from harness.curves import Varying
from harness.load.arrivals import arrivals, count_between, peak_rate
from harness.record.plan import LoadPlan
from harness.units import BadQuantity, Duration, Rate


def curve(value: object, quantity: type = Rate, directory: Path = Path()) -> Curve:
    read = Varying.of(quantity, value, directory)
    return Curve(read.points, read.smooth, read.every)


def load(made: Curve, duration: float) -> LoadPlan:
    return LoadPlan(
        users="", entry="web", url="http://web:8080", counts="requests", rate=made.points,
        rate_smooth=made.smooth, rate_every=made.every, poisson=False, seed=1, warmup=0.0,
        duration=duration, timeout=1.0, workers=1, headers=(), run_id="r",
    )  # fmt: skip


def test_a_pulse_comes_again_and_again() -> None:
    pulse = curve({"pulse": "0ms..400ms", "every": "10s", "for": "2s"}, Duration)
    assert [pulse.at(t) for t in (0, 1.9, 2, 9.9, 10, 11.9, 12, 3601)] == [
        0.4, 0.4, 0, 0, 0.4, 0.4, 0, 0.4,
    ]  # fmt: skip
    assert pulse.mean(0, 10) == pytest.approx(0.08)


def test_a_sine_begins_at_its_first_value_and_is_half_a_per_cent_right() -> None:
    sine = curve({"sine": "50/s..500/s", "every": "60s"})
    for t in range(0, 600, 7):
        exact = 275 - 225 * math.cos(2 * math.pi * t / 60)
        assert sine.at(t) == pytest.approx(exact, abs=225 * 0.005)
    assert sine.at(0) == sine.at(60) == 50


def test_arrivals_take_curves_that_repeat() -> None:
    sine = load(curve({"sine": "50/s..150/s", "every": "4s"}), 10.0)
    assert peak_rate(sine) == 150
    assert count_between(sine, 0, 8) == pytest.approx(800)
    dues = [due for _, due in arrivals(sine)]
    assert dues == sorted(dues)
    assert sum(due < 4 for due in dues) == pytest.approx(400, abs=1)
    assert sum(1 <= due < 3 for due in dues) > 250
    pulse = load(curve({"pulse": "0/s..100/s", "every": "2s", "for": "1s"}), 5.0)
    assert len(list(arrivals(pulse))) == 300
    assert all(due % 2 < 1 for _, due in arrivals(pulse))


def test_a_trace_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "friday.csv").write_text("0s,100/s\n10s,200/s\n1min,0/s\n")
    trace = curve({"trace": "friday.csv"}, directory=tmp_path)
    assert [trace.at(t) for t in (0, 5, 10, 35, 60, 99)] == [100, 150, 200, 100, 0, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 lines"),
        ("0s,1/s\n0s,2/s\n", "times begin at 0s and go up"),
        ("1s,1/s\n", "times begin at 0s and go up"),
        ("0s,1/s\n5s,2\n", "friday.csv:2: '2' has no unit"),
        ("0s;1/s\n", "friday.csv:1: a line is a time and a value, like 90s,200/s"),
    ],
)
def test_crooked_traces(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "friday.csv").write_text(text)
    with pytest.raises(BadQuantity, match=said):
        curve({"trace": "friday.csv"}, directory=tmp_path)


def test_crooked_waves() -> None:
    for value in (
        {"pulse": "1/s..2/s", "every": "2s", "for": "2s"},
        {"pulse": "1/s..2/s", "every": "2s"},
        {"sine": "1/s", "every": "2s"},
        {"sine": "1/s..2/s", "every": "0s"},
        {"trace": "a.csv", "every": "2s"},
    ):
        with pytest.raises(BadQuantity):
            curve(value)
