"""Quantities and curves: what is read, what is refused, and that writing is the inverse."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.curves import Varying
from harness.units import BadQuantity, Bandwidth, Duration, Quantity, Rate, Share, Size


@pytest.mark.parametrize(
    ("quantity", "text", "value"),
    [
        (Duration, "200ms", 0.2),
        (Duration, "5s", 5.0),
        (Duration, "1.5 min", 90.0),
        (Duration, "0", 0.0),
        (Duration, 0, 0.0),
        (Share, "5%", 0.05),
        (Share, "99.9 %", 0.999),
        (Rate, "200/s", 200.0),
        (Rate, "60/min", 1.0),
        (Bandwidth, "10mbit", 1e7),
        (Size, "50MiB", 50 * 2**20),
    ],
)
def test_reads(quantity: type[Quantity], text: object, value: float) -> None:
    assert quantity.parse(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Duration, "5"),
        (Duration, 5),
        (Duration, "5 parsecs"),
        (Duration, "-1s"),
        (Duration, "fast"),
        (Duration, ""),
        (Duration, None),
        (Duration, True),
        (Duration, ["5s"]),
        (Share, "101%"),
        (Share, "0.5"),
        (Rate, "200"),
        (Bandwidth, "0bit"),
    ],
)
def test_refuses(quantity: type[Quantity], text: object) -> None:
    with pytest.raises(BadQuantity):
        quantity.parse(text)


@given(st.integers(1, 10**6), st.sampled_from(["us", "ms", "s", "min"]))
def test_a_duration_reads_what_it_writes(number: int, unit: str) -> None:
    duration = Duration.parse(f"{number}{unit}")
    assert Duration.parse(str(duration)) == pytest.approx(duration, rel=1e-3)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with contextlib.suppress(BadQuantity):
        assert Duration.parse(text) >= 0


def test_curves() -> None:
    ramp = Varying.of(Duration, {"ramp": "0ms..400ms", "over": "20s"})
    assert (ramp.points, ramp.smooth, ramp.peak) == (((0.0, 0.0), (20.0, 0.4)), True, 0.4)
    step = Varying.of(Duration, {"step": ["0ms", "100ms"], "every": "5s"})
    assert (step.points, step.smooth) == (((0.0, 0.0), (5.0, 0.1)), False)
    assert Varying.of(Duration, "1s").is_constant


@pytest.mark.parametrize(
    "curve",
    [
        {},
        {"ramp": "0ms..1s"},
        {"ramp": "1s", "over": "1s"},
        {"ramp": "0ms..1s", "over": "0s"},
        {"ramp": "0ms..1s", "over": "1s", "every": "1s"},
        {"step": [], "every": "1s"},
        {"step": "1s", "every": "1s"},
        {"step": ["1"], "every": "1s"},
        {"ramp": "0ms..1s", "step": ["1s"], "over": "1s"},
    ],
)
def test_crooked_curves(curve: dict[str, object]) -> None:
    with pytest.raises(BadQuantity):
        Varying.of(Duration, curve)
