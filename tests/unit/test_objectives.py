"""The one-line grammar: every form of it, and a caret at the right character when it is not one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.model import Abort, Objective
from harness.experiment.objectives import MisreadError, read_abort, read_objective
from harness.units import Duration

WORDS = (
    "availability", "errors", "p99", "p99.9", "recovery", "throughput", "(pay)", "(journeys)", ">=",
    "<", "99%", "5", "s", "5s", "150/s", "baseline", "during", "after", "while", "slow-db", "at",
    "95%", "for", "(", ")", '"', "=", "2x", "+", "-", "50ms", "memory", "(api)", "rollback", "×",
)  # fmt: skip


def objective(indicator: str, op: str, limit: float, **fields: object) -> Objective:
    return Objective("", indicator, op, limit, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "availability >= 99.9% baseline",
            objective("availability", ">=", 0.999, window="baseline"),
        ),
        (
            "availability >= 99.5% during slow-db",
            objective("availability", ">=", 0.995, window="during", window_id="slow-db"),
        ),
        (
            "p99(pay) < 900ms during slow-db",
            objective(
                "latency", "<", 0.9, quantile=0.99, name="pay", window="during", window_id="slow-db"
            ),
        ),
        ("errors(pay) < 0.1%", objective("errors", "<", 0.001, name="pay")),
        ("p99.9<1s", objective("latency", "<", 1.0, quantile=0.999)),
        ("p50 <= 5 ms during", objective("latency", "<=", 0.005, quantile=0.5, window="during")),
        (
            "throughput >= 150/s during x",
            objective("throughput", ">=", 150.0, window="during", window_id="x"),
        ),
        (
            "recovery < 5s after slow-db",
            objective("recovery", "<", 5.0, window="after", window_id="slow-db"),
        ),
        ("recovery < 5s", objective("recovery", "<", 5.0, window="after")),
        (
            "recovery while slow-db < 3s",
            objective("recovery", "<", 3.0, window="while", window_id="slow-db"),
        ),
        (
            "recovery < 3s while slow-db",
            objective("recovery", "<", 3.0, window="while", window_id="slow-db"),
        ),
        ("availability(journeys) >= 99%", objective("availability", ">=", 0.99, journeys=True)),
        (
            "p95(journeys buy all) < 2s",
            objective("latency", "<", 2.0, quantile=0.95, journeys=True, name="buy all"),
        ),
        (
            'errors("GET /cart (old)") < 1%',
            objective("errors", "<", 0.01, name="GET /cart (old)"),
        ),
        (
            "availability >= 99.99% baseline at 95%",
            objective("availability", ">=", 0.9999, window="baseline", confidence=0.95),
        ),
        (
            "p99 during slow-db < 2x baseline",
            objective(
                "latency", "<", 0.0, quantile=0.99, window="during", window_id="slow-db",
                than="baseline", factor=2.0,
            ),
        ),
        (
            "p99 < 1.5x during a after b",
            objective(
                "latency", "<", 0.0, quantile=0.99, window="after", window_id="b",
                than="during", than_id="a", factor=1.5,
            ),
        ),
        (
            "memory(api) after < baseline + 50MiB",
            objective("memory", "<", 52428800.0, name="api", window="after", than="baseline"),
        ),
        (
            "availability >= baseline -0.1% during",
            objective("availability", ">=", -0.001, window="during", than="baseline"),
        ),
        ("memory(api) < 512MiB", objective("memory", "<", 536870912.0, name="api")),
        ("detection < 1min", objective("detection", "<", 60.0)),
        ("durability >= 99.999999999%", objective("durability", ">=", 0.99999999999)),
        (
            "errors < 0.1% at 99% during x",
            objective(
                "errors", "<", 0.001, window="during", window_id="x", confidence=0.99
            ),
        ),
    ],
)  # fmt: skip
def test_reads(text: str, expected: Objective) -> None:
    found = read_objective(text)
    assert found.text == text
    assert Objective(**{**vars(found), "text": ""}) == expected


@pytest.mark.parametrize(
    ("text", "offset", "part"),
    [
        ("", 0, "indicator is missing"),
        ("availabilty >= 9%", 0, "not an indicator"),
        ("p0 < 1s", 0, "not an indicator"),
        ("p100 < 1s", 0, "not an indicator"),
        ("availability", 12, "operator is missing"),
        ("availability 99%", 13, "operator belongs here"),
        ("availability => 99%", 13, "operator belongs here"),
        ("availability < 99%", 13, "good when higher"),
        ("p99 > 1s", 4, "good when lower"),
        ("p99 <", 5, "missing"),
        ("p99 < 900", 6, "no unit"),
        ("p99 < 5%", 6, "no unit of a duration"),
        ("availability >= 101%", 16, "out of range"),
        ("p99() < 1s", 3, "needs a request's name"),
        ("p99(pay < 1s", 3, "not closed"),
        ("p99 < 1s druing x", 9, "not expected here"),
        ("p99 < 1s during x during y", 18, "second window"),
        ("p99 < 1s baseline x", 18, "not expected here"),
        ("p99 < 1s while x", 9, "for recovery"),
        ("recovery < 1s during x", 14, "after ID"),
        ("recovery(pay) < 1s", 0, "all requests"),
        ("errors < 1% at", 14, "missing"),
        ("errors < 1% at 100%", 15, "confidence"),
        ("errors < 1% at 95% at 95%", 19, "second confidence"),
        ("p99 during x < 2x", 17, "of which window is missing"),
        ("p99 < 2x bseline", 8, "of which window is missing"),
        ("p99 baseline < 2x baseline", 0, "with itself"),
        ("p99 during < baseline + 5", 24, "no unit"),
        ("p99 during < baseline +", 23, "missing"),
        ("p99 during < 0x baseline", 13, "0 times"),
        ("p99 during < 2x baseline at 95%", 25, "no confidence"),
        ("recovery < 2x baseline", 14, "compared with a time"),
        ("memory < 5MiB", 0, "of a service"),
        ("memory(api) < 5", 14, "no unit"),
        ("rollback(pay) < 5s", 0, "no name"),
        ("rto < 1h at 95%", 9, "no confidence"),
    ],
)
def test_points_at_what_is_wrong(text: str, offset: int, part: str) -> None:
    with pytest.raises(MisreadError) as caught:
        read_objective(text)
    assert part in caught.value.message
    assert caught.value.offset == offset


def test_reads_aborts() -> None:
    assert read_abort("errors > 50% for 3s") == Abort(
        "errors > 50% for 3s", "errors", ">", 0.5, 0.0, Duration(3)
    )
    assert read_abort("p99 >= 2s for 500ms").quantile == 0.99
    assert read_abort("availability < 50 % for 3 s").lasts == Duration(3)


@pytest.mark.parametrize(
    "text",
    [
        "errors > 50%", "errors < 50% for 3s", "errors > 50% for 3", "errors > 50% for 0s",
        "errors(pay) > 5% for 3s", "recovery > 5s for 3s", "errors > 5% for 3s now", "for", "",
    ],
)  # fmt: skip
def test_refuses_aborts(text: str) -> None:
    with pytest.raises(MisreadError):
        read_abort(text)


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)))
def test_any_line_is_read_or_misread_inside_it(text: str) -> None:
    for read in (read_objective, read_abort):
        assert 0 <= offset_of_misreading(read, text) <= len(text)


def offset_of_misreading(read: Callable[[str], object], text: str) -> int:
    try:
        read(text)
    except MisreadError as error:
        return error.offset
    return 0
