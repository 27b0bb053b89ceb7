"""Toxics in their chain, by a clock that is turned by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agent.effects import Curve
from harness.mechanisms.proxy_chain import Chain
from harness.mechanisms.toxics import KINDS, TOXICS
from harness.mechanisms.toxics.toxic import CLOSE, FINISHED, RESET, Piece


class Line:
    """A chain with everything that goes out of it, and when."""

    def __init__(self, exact: bool = False) -> None:
        self.now = 0.0
        self.met: set[str] = set()
        self.chain = Chain(self.met.add, exact)
        self.out: list[tuple[float, bytes]] = []

    def put(self, kind: str, id: str = "", applies: bool = True, **numbers: float) -> None:
        curves = {name: Curve.constant(value) for name, value in numbers.items()}
        kinds = TOXICS if self.chain._exact else KINDS
        self.chain.put(kinds[kind](id or kind, curves, self.now), lambda: applies, self.now)

    def send(self, data: bytes) -> None:
        self.chain.first.pieces.append(Piece(data, self.now))

    def until(self, then: float) -> None:
        while True:
            wake = self.chain.move(self.now)
            while self.chain.last.pieces:
                self.out.append((round(self.now, 6), self.chain.last.pieces.popleft().data))
                wake = self.chain.move(self.now)
            if wake > then:
                break
            self.now = max(self.now, wake)
        self.now = then

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.out)


def test_latency_delays_each_piece_and_its_going_lets_all_go_at_once() -> None:
    line = Line()
    line.put("latency", latency=100)
    line.send(b"a")
    line.until(0.05)
    line.send(b"b")
    line.until(0.12)
    assert line.out == [(0.1, b"a")]
    line.send(b"c")
    line.chain.take("latency", line.now)
    line.until(0.13)
    assert line.out == [(0.1, b"a"), (0.12, b"b"), (0.12, b"c")]
    assert line.met == {"latency"}


def test_a_toxic_that_comes_lets_go_what_its_neighbour_holds_only_in_toxiproxy() -> None:
    for exact, due in ((True, 0.02), (False, 0.1)):
        line = Line(exact)
        line.put("latency", latency=100)
        line.send(b"a")
        line.until(0.02)
        line.put("noop")
        line.until(1)
        assert line.out == [(due, b"a")]


def test_changed_numbers_let_go_the_first_and_hold_for_the_rest() -> None:
    line = Line(exact=True)
    line.put("latency", latency=100)
    line.send(b"a")
    line.send(b"b")
    line.until(0.05)
    line.chain.change("latency", {"latency": Curve.constant(200)}, line.now)
    line.until(1)
    assert line.out == [(0.05, b"a"), (0.2, b"b")]


def test_bandwidth_slices_at_low_rates_and_nothing_flows_at_none() -> None:
    line = Line()
    line.put("bandwidth", rate=10)
    line.send(b"x" * 2500)
    line.until(10)
    assert [(at, len(data)) for at, data in line.out] == [(0.1, 1000), (0.2, 1000), (0.25, 500)]
    still = Line()
    still.put("bandwidth", rate=0)
    still.send(b"x")
    still.until(100)
    assert still.out == []
    still.chain.take("bandwidth", still.now)
    still.until(100)
    assert still.out == [(100, b"x")]


@pytest.mark.parametrize("sizes", [(10,), (4, 6), (3, 3, 4), (1,) * 10, (11,), (4, 7)])
def test_limit_data_closes_at_its_byte(sizes: tuple[int, ...]) -> None:
    line = Line()
    line.put("limit_data", bytes=10)
    for size in sizes:
        line.send(b"x" * size)
    line.until(1)
    assert len(line.data) == 10
    assert line.chain.last.over == CLOSE


def test_limit_data_remembers_what_passed_when_its_limit_changes() -> None:
    line = Line(exact=True)
    line.put("limit_data", bytes=10)
    line.send(b"x" * 8)
    line.until(1)
    line.chain.change("limit_data", {"bytes": Curve.constant(12)}, line.now)
    line.send(b"x" * 8)
    line.until(2)
    assert len(line.data) == 12


def test_slow_close_delays_the_end_alone() -> None:
    line = Line()
    line.put("slow_close", delay=500)
    line.send(b"a")
    line.until(0.1)
    assert (line.out, line.met) == ([(0.0, b"a")], set())
    line.chain.first.ended = FINISHED
    line.until(0.59)
    assert not line.chain.last.over
    line.until(0.61)
    assert (line.chain.last.over, line.met) == (FINISHED, {"slow_close"})


def test_timeout_counts_from_the_last_data_and_loses_it() -> None:
    line = Line()
    line.put("timeout", timeout=300)
    line.until(0.2)
    line.send(b"a")
    line.until(0.49)
    assert not line.chain.last.over
    line.until(0.51)
    assert (line.chain.last.over, line.out) == (CLOSE, [])


def test_the_end_passes_toxiproxys_timeout_and_not_ours() -> None:
    for exact, ends in ((True, FINISHED), (False, "")):
        line = Line(exact)
        line.put("timeout", timeout=0)
        line.chain.first.ended = FINISHED
        line.until(5)
        assert line.chain.last.over == ends
        line.chain.take("timeout", line.now)
        assert line.chain.last.over == (ends or CLOSE)


def test_reset_peer_ends_after_data_with_a_reset_of_ours() -> None:
    for exact, how in ((True, CLOSE), (False, RESET)):
        line = Line(exact)
        line.put("reset_peer", timeout=100)
        line.send(b"a")
        line.until(0.09)
        assert not line.chain.last.over
        line.until(0.11)
        assert (line.chain.last.over, line.out) == (how, [])


def test_slicer_cuts_around_its_average_and_waits_after_each() -> None:
    line = Line()
    line.put("slicer", average_size=100, size_variation=20, delay=10_000)
    line.send(bytes(range(256)) * 4)
    line.until(60)
    assert line.data == bytes(range(256)) * 4
    assert all(len(data) <= 120 for _, data in line.out)
    gaps = [b - a for (a, _), (b, _) in zip(line.out, line.out[1:], strict=False)]
    assert min(gaps) == pytest.approx(0.01)


@pytest.mark.parametrize("numbers", [(0, 0), (0, 100), (-5, -5), (1, 1000)])
def test_slicer_of_any_numbers_ends(numbers: tuple[int, int]) -> None:
    line = Line()
    line.put("slicer", average_size=numbers[0], size_variation=numbers[1])
    line.send(b"abc" * 1000)
    line.until(1)
    assert line.data == b"abc" * 1000


def test_one_that_does_not_apply_is_not_met_and_does_nothing() -> None:
    line = Line()
    line.put("limit_data", applies=False, bytes=1)
    line.send(b"abc")
    line.until(0)
    assert (line.data, line.met) == (b"abc", set())


HARMLESS = st.sampled_from(
    [
        ("latency", {"latency": 40, "jitter": 30}),
        ("bandwidth", {"rate": 3}),
        ("bandwidth", {"rate": 0}),
        ("slicer", {"average_size": 7, "size_variation": 3, "delay": 500}),
        ("slow_close", {"delay": 50}),
        ("noop", {}),
    ]
)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), HARMLESS),
        st.tuples(st.just("take"), st.integers(0, 3)),
        st.tuples(st.just("change"), st.integers(0, 3), st.integers(0, 100)),
        st.tuples(st.just("send"), st.integers(1, 700)),
        st.tuples(st.just("wait"), st.floats(0, 0.3)),
        st.tuples(st.just("room"), st.booleans()),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(st.booleans(), ACTS)
def test_no_byte_is_lost_doubled_or_moved_by_any_coming_and_going(exact: bool, acts: list) -> None:
    line, sent = Line(exact), b""
    present: set[str] = set()
    for act in acts:
        id = str(act[1])
        if act[0] == "put" and id not in present:
            present.add(id)
            line.put(act[2][0], id, **act[2][1])
        elif act[0] == "take":
            present.discard(id)
            line.chain.take(id, line.now)
        elif act[0] == "change":
            numbers = {name: Curve.constant(act[2]) for name in ("latency", "delay", "rate")}
            line.chain.change(id, numbers, line.now)
        elif act[0] == "send":
            data = bytes((len(sent) + i) % 251 for i in range(act[1]))
            sent += data
            line.send(data)
        elif act[0] == "wait":
            line.until(line.now + act[1])
        else:
            line.chain.move(line.now)  # nobody takes anything: the channels fill
        assert sent.startswith(line.data)
    line.chain.first.ended = FINISHED
    for id in present:
        line.chain.take(id, line.now)
    line.until(line.now + 10)
    assert line.data == sent
    assert line.chain.last.over == FINISHED
