"""Judgements of the dependency, process and service faults, with looks made by hand."""

from __future__ import annotations

import pytest

from harness.agent.effects import (
    Curve,
    Edge,
    EdgeSeen,
    InForce,
    Intercept,
    Process,
    Processes,
    ProcessesSeen,
    Stopped,
    Toxic,
)
from harness.faults.dependency.down import Down
from harness.faults.dependency.latency import Latency
from harness.faults.dependency.reset import Reset
from harness.faults.dependency.timeout import Timeout
from harness.faults.fault import Held, Look
from harness.faults.process.kill import Kill
from harness.faults.process.pause import Pause
from harness.faults.service.restart import Restart
from harness.faults.witness import wilson

EDGE = Edge("api-0->database", "/run/netns/api-0", ("198.18.0.5",), 5432)
ON = (EDGE, InForce("i", Intercept(), 0.0))
SERVER = Processes("api-0", "/run/netns/api-0")


def seen(outcome="ok", trip=0.001, old="ok", old_trip=0.001, *, at=0.0, others=(ON,)):
    return Look(EdgeSeen(at, at + 1 + trip, outcome, trip, old, old_trip), others)


def held(*looks, before=None, since=0.0):
    return Held(EDGE, before or seen(), looks, since)


def confirmed(fault, *looks, **more):
    return [line.confirmed for line in fault.judge(held(*looks, **more))]


def other(kind, latency=0.0, since=0.0):
    toxic = Toxic(kind, numbers=(("latency", Curve.constant(latency)),))
    return (ON, (EDGE, InForce("other", toxic, since)))


def test_down_wants_refusals_and_closed_connections():
    good = seen("refused", 0, "closed", 0)
    assert confirmed(Down(), good, good) == [True, True]
    assert confirmed(Down(), good, seen()) == [False, False]
    assert confirmed(Down(), seen("refused", 0, "ok")) == [True, False], "live ones were missed"
    assert confirmed(Down(), good, before=seen("refused")) == [False, True], "was so before"
    assert Down().gone(held(), good) == "new connections: refused, open connections: closed"
    assert Down().gone(held(), seen()) == ""


def test_another_fault_that_hides_it_leaves_nothing_claimed():
    look = seen("refused", 0, "closed", 0, others=other("down"))
    assert confirmed(Reset(), look) == [None, None]
    assert confirmed(Latency(delay="200ms"), look) == [None, None]
    assert Reset().gone(held(), look) == ""
    assert confirmed(Reset(), look, seen("reset", 0, "reset", 0)) == [True, True]


def test_timeout_hangs_or_closes():
    hung, closed = seen("timeout", 1, "timeout", 1), seen("closed", 0, "closed", 0)
    assert confirmed(Timeout(), hung) == [True, True]
    assert confirmed(Timeout(after="2s"), hung) == [False, False]
    assert confirmed(Timeout(after="2s"), closed) == [True, True]


def test_a_share_is_judged_by_its_interval():
    half = Reset(share="50%")
    looks = [seen("reset") if n % 2 else seen() for n in range(20)]
    assert confirmed(half, *looks) == [True, None]
    assert confirmed(half, *[seen() for _ in range(20)]) == [False, None]
    assert confirmed(half, *[seen("reset") for _ in range(20)]) == [False, None]
    assert wilson(0, 10)[0:2] == (0, 0)
    assert wilson(10, 10)[2] == 1


def late(seconds, at=1.0, old=None, others=(ON,)):
    old = seconds if old is None else old
    return seen("ok", 0.001 + seconds, "ok", 0.001 + old, at=at, others=others)


def test_latency_is_the_difference_to_before():
    fault = Latency(delay="200ms")
    assert confirmed(fault, late(0.204), late(0.199)) == [True, True]
    assert confirmed(fault, late(0.1), late(0.1)) == [False, False], "half the strength"
    assert confirmed(fault, late(0.2, old=0.0)) == [True, False], "new connections only"
    assert confirmed(fault, seen("timeout")) == [False, False]
    looks = [late(0.2) for _ in range(9)] + [late(0.3)]
    assert confirmed(fault, *looks) == [True, True], "one look of ten was disturbed"
    assert confirmed(Latency(delay="200ms", jitter="50ms"), late(0.24)) == [True, True]
    line = fault.judge(held(late(0.204), late(0.200)))[0]
    assert (line.asked, line.value, line.unit) == pytest.approx((0.2, 0.202, "s"))


def test_latency_without_what_others_add():
    fault, both = Latency(delay="200ms"), other("latency", 100)
    assert confirmed(fault, late(0.3, others=both)) == [True, True]
    assert confirmed(fault, late(0.2, others=both)) == [False, False]
    assert fault.gone(held(), late(0.1, others=both)) == ""
    assert "later" in fault.gone(held(), late(0.2))
    assert fault.gone(held(), late(0.001)) == ""


def test_latency_follows_a_ramp():
    fault = Latency(delay={"ramp": "0ms..400ms", "over": "10s"})
    good = [late(0.04 * (at + 0.5), at=at) for at in range(10)]
    assert confirmed(fault, *good) == [True, True]
    assert confirmed(fault, *[late(0.2, at=at) for at in range(10)]) == [False, False]


def test_latency_on_a_share():
    fault = Latency(delay="200ms", share="50%")
    looks = [late(0.2 if n % 2 else 0.0) for n in range(20)]
    assert confirmed(fault, *looks) == [True, True]
    assert confirmed(fault, *[late(0.2) for _ in range(20)]) == [True, False]
    assert confirmed(fault, *[late(0.0) for _ in range(20)]) == [None, False]


def test_effects_are_in_toxiproxys_units():
    toxic = Latency(delay="200ms", jitter="20ms").effect()
    assert {name: c.peak for name, c in toxic.numbers} == {"latency": 200, "jitter": 20}
    assert dict(Timeout(after="3s").effect().numbers)["timeout"].peak == 3000
    assert Latency(delay="200ms").says() == "answers 200ms later"
    assert Timeout().says() == "no answers on 100% of the connections until taken back"


def procs(*states, gone=()):
    alive = tuple(Process(pid, 7, state, "api") for pid, state in states)
    return Look(ProcessesSeen(0, 1, alive, tuple(Process(pid, 7, "S") for pid in gone)))


def judged(fault, before, *looks):
    return fault.judge(Held(SERVER, before, looks, 0.0))[0]


def test_a_kill_is_confirmed_when_all_are_gone():
    before = procs((1, "S"), (2, "S"))
    line = judged(Kill(), before, procs(gone=(1, 2)))
    assert (line.confirmed, line.asked, line.value) == (True, 2, 2)
    newcomer = procs((3, "S"), gone=(1, 2))
    assert judged(Kill(), before, newcomer).confirmed is True
    line = judged(Kill(signal="TERM"), before, procs((2, "S"), gone=(1,)))
    assert (line.confirmed, line.asked, line.value) == (False, 2, 1)
    assert line.note == "still alive: api (2)"
    assert judged(Kill(), before, before).confirmed is False


def test_a_pause_is_confirmed_when_all_stand_still():
    before = procs((1, "S"), (2, "T"))
    assert judged(Pause(), before, procs((1, "T"), (2, "T"))).confirmed is True
    assert judged(Pause(), before, procs((1, "T"), (2, "S"))).confirmed is False
    assert judged(Pause(), before, procs()).confirmed is False
    kept = Held(SERVER, before, (), 0.0)
    assert Pause().gone(kept, procs((1, "S"), (2, "T"))) == ""
    assert Pause().gone(kept, procs((1, "T"), (2, "T"))) == "still stopped: api (1)"
    still = Look(procs((1, "T")).seen, ((SERVER, InForce("other", Stopped(), 0.0)),))
    assert Pause().gone(kept, still) == ""


def test_a_restart_is_confirmed_when_all_are_others():
    before = procs((1, "S"), (2, "S"))
    assert judged(Restart(), before, procs(), procs((3, "S"))).confirmed is True
    assert judged(Restart(), before, procs()).confirmed is False
    assert judged(Restart(), before, procs((1, "S"), (3, "S"))).confirmed is False
    assert judged(Restart(), before, before).confirmed is False
