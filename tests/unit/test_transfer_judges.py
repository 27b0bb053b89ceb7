"""Judgements of the faults that change how data comes, with transfers made by hand."""

from __future__ import annotations

import pytest

from harness.agent.effects import Curve, Edge, EdgeSeen, InForce, Toxic, Transfer
from harness.faults.dependency.bandwidth import Bandwidth
from harness.faults.dependency.flapping import Flapping
from harness.faults.dependency.limit_data import LimitData
from harness.faults.dependency.slicer import Slicer
from harness.faults.dependency.slow_close import SlowClose
from harness.faults.fault import Held, Look

EDGE = Edge("api-0->database", "/run/netns/api-0", ("198.18.0.5",), 5432)
PLAIN = Transfer(1.0, "ok", 0.001, 50_000, 1, 0.0, 0.001)  # nothing is in its way


def look(*new, old=None, outcome="ok", old_outcome=None, others=()):
    old = old if old is not None else new[0]
    ended = old.outcome if old_outcome is None else old_outcome
    first = new[0]
    seen = EdgeSeen(1.0, 2.0, first.outcome, first.round_trip, ended, 0.001, (), new, old)
    return Look(seen, tuple((EDGE, InForce("other", t, 0.0)) for t in others))


def confirmed(fault, *looks, before=None):
    held = Held(EDGE, before or look(PLAIN), looks, 0.0)
    return [line.confirmed for line in fault.judge(held)]


def at_rate(bits_per_s, size=50_000, outcome="ok"):
    return Transfer(1.0, outcome, 0.001, size, 5, size * 8 / bits_per_s - 0.001)


def test_a_rate_is_that_of_whole_transfers():
    fault = Bandwidth(rate="800kbit")
    good, fast = at_rate(800e3), at_rate(1600e3)
    assert confirmed(fault, look(good, good), look(good, good)) == [True, True, True]
    assert confirmed(fault, look(fast, fast)) == [False, False, False], "half the strength"
    assert confirmed(fault, look(good, good, old=fast)) == [True, False, True], "new ones only"
    assert confirmed(fault, look(good, PLAIN)) == [True, True, False], "one of two addresses"
    assert confirmed(fault, look(at_rate(400e3))) == [False, False, True], "too slow"
    assert confirmed(fault, look(at_rate(800e3, outcome="timeout"))) == [False, False, False]
    assert confirmed(fault, look(good), before=look(good))[-1] is False, "was so before"


def test_a_rate_on_a_share_is_judged_on_those_that_met_it():
    half = Bandwidth(rate="800kbit", share="50%")
    good, fast = at_rate(800e3), at_rate(80e6)
    mixed = [look(good, fast, good, fast), look(fast, good, good, fast)]
    assert confirmed(half, *mixed) == [True, True]
    assert confirmed(half, *[look(*[good] * 30)] * 2) == [True, False]
    assert confirmed(half, *[look(*[fast] * 30)] * 2) == [False], "nobody met it"


def test_a_rate_follows_its_steps():
    fault = Bandwidth(rate={"step": ["800kbit", "1600kbit"], "every": "10s"})
    assert confirmed(fault, look(at_rate(800e3))) == [True, True, True]
    held = Held(EDGE, look(PLAIN), (look(at_rate(1600e3)),), -10.0)
    assert [line.confirmed for line in fault.judge(held)] == [True, True, True]


def test_another_toxic_that_changes_the_transfer_leaves_nothing_claimed():
    slow = Toxic("bandwidth", numbers=(("rate", Curve.constant(1.0)),))
    seen = look(at_rate(1e3), others=(slow,))
    assert confirmed(Bandwidth(rate="800kbit"), seen) == [None, None, None]
    assert confirmed(LimitData(limit="10B"), look(PLAIN, others=(Toxic("down"),))) == [None] * 3


@pytest.mark.parametrize(
    ("fault", "still"),
    [
        (Bandwidth(rate="800kbit"), at_rate(800e3)),
        (Slicer(size="64B", pause="10ms"), Transfer(1.0, "ok", 0.01, 640, 10, 0.09)),
        (SlowClose(delay="300ms"), Transfer(1.0, "ok", 0.001, 16, 1, 0.0, 0.3)),
    ],
)
def test_what_is_still_there_after_the_revert(fault, still):
    held = Held(EDGE, look(PLAIN), (), 0.0)
    assert "still" in fault.gone(held, look(still))
    assert fault.gone(held, look(PLAIN)) == ""
    assert fault.gone(Held(EDGE, look(still), (), 0.0), look(still)) == "", "was so before"
    assert fault.gone(held, look(still, old_outcome="reset")) == "open connections: reset"


def sliced(size, pause_s, pieces=16):
    return Transfer(1.0, "ok", 0.001, size * pieces, pieces, pause_s * (pieces - 1))


def test_slices_have_a_size_and_a_pause():
    fault = Slicer(size="64B", pause="10ms")
    good = sliced(64, 0.0101)
    assert confirmed(fault, look(good, sliced(64, 0.01, 4))) == [True] * 5
    assert confirmed(fault, look(sliced(128, 0.01))) == [False, True, False, True, True]
    assert confirmed(fault, look(sliced(64, 0.005))) == [True, False, True, False, True]
    assert confirmed(fault, look(good, PLAIN))[-1] is False
    with pytest.raises(ValueError, match="1ms to 1s"):
        Slicer(size="64B", pause="1us")
    with pytest.raises(ValueError, match="1B to 16KiB"):
        Slicer(size="1MB", pause="1ms")


def test_the_very_byte():
    fault = LimitData(limit="100B")
    good = Transfer(1.0, "closed", 0.001, 100, 1, 0.0)
    late = Transfer(1.0, "closed", 0.001, 101, 1, 0.0)
    assert confirmed(fault, look(good, good)) == [True, True, True]
    assert confirmed(fault, look(good, late)) == [False, False, True]
    assert confirmed(fault, look(good, PLAIN)) == [True, False, True]
    assert confirmed(fault, look(good, old=PLAIN)) == [True, True, False], "new ones only"
    assert confirmed(fault, look(PLAIN)) == [None, False, False]
    with pytest.raises(ValueError, match="a witness has to send as much"):
        LimitData(limit="1GB")


def test_a_late_end():
    fault = SlowClose(delay="300ms")
    good, half = (Transfer(1.0, "ok", 0.001, 16, 1, 0.0, end) for end in (0.31, 0.15))
    assert confirmed(fault, look(good, good)) == [True, True, True]
    assert confirmed(fault, look(half, half)) == [False, False, False]
    assert confirmed(fault, look(good, good, old=half)) == [True, False, True]


def rhythm(down_s, up_s, for_s=4.0):
    """What connections find, twenty a second, of a dependency that flaps so."""
    times = [n / 20 for n in range(int(for_s * 20))]
    return [Transfer(t, "refused" if t % (down_s + up_s) < down_s else "ok", 0.001) for t in times]


def test_a_rhythm_is_met_in_each_of_its_parts():
    fault = Flapping(down="1s", up="1s")
    closed = Transfer(0.0, "closed")
    assert confirmed(fault, look(PLAIN, *rhythm(1, 1), old=closed)) == [True, True, True]
    assert confirmed(fault, look(PLAIN, *rhythm(0.5, 1.5), old=closed)) == [False, True, True]
    assert confirmed(fault, look(PLAIN, *rhythm(9, 1), old=closed)) == [True, False, True]
    assert confirmed(fault, look(PLAIN, *rhythm(1, 1), old=PLAIN)) == [True, True, False]
    assert confirmed(fault, look(PLAIN, *rhythm(1, 1, 1.0), old=closed)) == [True, None, True]
    assert confirmed(fault, look(PLAIN, old=closed)) == [False, None, True]
    with pytest.raises(ValueError, match="at least 250ms"):
        Flapping(down="10ms", up="1s")
