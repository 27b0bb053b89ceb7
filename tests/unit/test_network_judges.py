"""How network faults judge what was seen: honest, weak and spoiled looks, and others' part."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from harness.agent.effects import Curve, Flow, InForce, Link, LinkProfile, LinkSeen
from harness.faults.fault import Held, Look
from harness.faults.network.bandwidth import Bandwidth
from harness.faults.network.duplicate import Duplicate
from harness.faults.network.latency import Latency
from harness.faults.network.loss import Loss
from harness.faults.network.partition import Partition
from harness.faults.network.reorder import Reorder
from harness.faults.witness import Count, Reading, followed, share_of, wilson
from harness.record.witness import Witnessed

HOST = Link("api", "/run/netns/api", "v-2", "198.18.0.2")
PEER = Link("database", "/run/netns/database", "v-3", "198.18.0.3")
C = Curve.constant
CALM = Flow(100, 100, (0.0001,) * 100)


def look(
    flow: Flow, at: float = 0.0, others: tuple[tuple[Any, LinkProfile], ...] = (), **more: Any
) -> Look:
    seen = LinkSeen(at, at + 1, (PEER.address,), **{"forth": flow, "back": CALM, **more})
    in_force = tuple((on, InForce("other", profile, 0.0)) for on, profile in others)
    return Look(seen, in_force)


def held(*looks: Look, before: Look | None = None) -> Held:
    return Held(HOST, before or look(CALM, -2), looks, 0.0)


def slow(*delays: float) -> Flow:
    return Flow(100, 100, delays * (100 // len(delays)))


def one(judged: tuple[Witnessed, ...]) -> Witnessed:
    assert len(judged) == 1, judged
    return judged[0]


# ---------------------------------------------------------------- latency


def test_a_delay_is_confirmed_within_ten_per_cent_or_two_milliseconds() -> None:
    fault = Latency(delay="100ms")  # type: ignore[arg-type]
    for seen, confirmed in (
        (0.1, True),
        (0.108, True),
        (0.092, True),
        (0.12, False),
        (0.05, False),
    ):
        judged = one(fault.judge(held(*(look(slow(seen + 0.0001), n) for n in range(3)))))
        assert judged.confirmed is confirmed, seen
        assert judged.field == "delay"
        assert judged.asked == pytest.approx(0.1)
        assert judged.value == pytest.approx(seen, abs=1e-4)
    small = Latency(delay="1ms")  # type: ignore[arg-type]
    assert one(small.judge(held(look(slow(0.0025))))).confirmed


def test_one_spoiled_look_of_many_is_forgiven_two_in_a_row_are_not() -> None:
    fault = Latency(delay="100ms")  # type: ignore[arg-type]
    good, bad = slow(0.1), slow(0.115)
    seen = [look(good, n) for n in range(10)]
    seen[4] = look(bad, 4)
    assert one(fault.judge(held(*seen))).confirmed
    seen[5] = look(bad, 5)
    assert not one(fault.judge(held(*seen))).confirmed


def test_a_ramp_is_followed() -> None:
    fault = Latency(delay={"ramp": "0ms..400ms", "over": "4s"})  # type: ignore[arg-type]
    rising = [slow(*(n * 0.1 + i * 0.001 for i in range(100))) for n in range(4)]
    assert one(fault.judge(held(*(look(flow, n) for n, flow in enumerate(rising))))).confirmed
    constant = [look(slow(0.2), n) for n in range(4)]
    assert not one(fault.judge(held(*constant))).confirmed


def test_a_fall_is_followed_as_packets_fall_in_line() -> None:
    """From 400 to 100 ms: those sent just after wait for those ahead of them."""
    fault = Latency(delay={"step": ["400ms", "100ms"], "every": "1s"})  # type: ignore[arg-type]
    falling = slow(*(max(0.1, 0.4 - i * 0.01) for i in range(100)))
    assert one(fault.judge(held(look(slow(0.4), 0.0), look(falling, 1.0)))).confirmed


def test_delays_of_others_on_either_end_are_taken_out() -> None:
    fault = Latency(delay="50ms")  # type: ignore[arg-type]
    late = LinkProfile(delay=C(0.1))
    both = ((HOST, late), (PEER, replace(late, direction="back")))
    assert one(fault.judge(held(look(slow(0.25), 0, both)))).confirmed
    for elsewhere in (
        (PEER, late), (HOST, replace(late, direction="back")),
        (HOST, replace(late, peers=("198.18.0.9",))), (HOST, replace(late, ports=(5432,))),
        (HOST, replace(late, protocol="udp")),
    ):  # fmt: skip
        assert one(fault.judge(held(look(slow(0.05), 0, (elsewhere,))))).confirmed


def test_a_partition_hides_a_delay_for_as_long_as_it_lasts() -> None:
    fault = Latency(delay="50ms")  # type: ignore[arg-type]
    cut = ((HOST, LinkProfile(cut="drop", direction="both")),)
    hidden = look(Flow(100, 0), 0, cut)
    assert one(fault.judge(held(hidden))).confirmed is False
    assert one(fault.judge(held(hidden, look(slow(0.05), 1)))).confirmed


def test_both_directions_are_judged_each_for_itself() -> None:
    fault = Latency(delay="50ms", direction="both")  # type: ignore[arg-type]
    forth, back = fault.judge(held(look(slow(0.05))))
    assert (forth.field, forth.confirmed) == ("delay forth", True)
    assert (back.field, back.confirmed) == ("delay back", False)


def test_jitter_is_judged_by_its_spread() -> None:
    fault = Latency(delay="100ms", jitter="20ms")  # type: ignore[arg-type]
    spread = slow(*(0.08 + 0.0004 * i for i in range(100)))
    delay, jitter = fault.judge(held(*(look(spread, n) for n in range(5))))
    assert delay.confirmed
    assert jitter.confirmed
    assert jitter.field == "jitter"
    assert not fault.judge(held(*(look(slow(0.1), n) for n in range(5))))[1].confirmed


def test_a_delay_that_stays_is_not_gone() -> None:
    fault = Latency(delay="50ms")  # type: ignore[arg-type]
    assert fault.gone(held(), look(CALM)) == ""
    assert "late" in fault.gone(held(), look(slow(0.05)))


def test_latency_in_words() -> None:
    assert "200ms more round trip" in Latency(delay="200ms").says()  # type: ignore[arg-type]
    both = Latency(delay="200ms", direction="both", ports=[5432])  # type: ignore[arg-type]
    assert both.says() == "delay 200ms, ports 5432, direction both, 400ms more round trip"


@pytest.mark.parametrize(
    "fields",
    [
        {"delay": "10ms", "jitter": "20ms"}, {"delay": "10ms", "protocol": "icmp", "ports": [1]},
        {"delay": "10ms", "ports": [0]}, {"delay": "10ms", "direction": "up"}, {},
    ],
)  # fmt: skip
def test_nonsense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Latency(**fields)


# ---------------------------------------------------------------- shares


def lossy(share: float, of: int = 200, seed: int = 1) -> Flow:
    chance = random.Random(seed)
    lost = sum(chance.random() < share for _ in range(of))
    return Flow(of, of - lost, (0.0001,) * (of - lost))


def looks_with(share: float, count: int, seed: int) -> list[Look]:
    return [look(lossy(share, seed=seed * 1000 + n), n) for n in range(count)]


def test_an_honest_share_is_rarely_called_wrong_and_half_of_it_mostly_is() -> None:
    fault = Loss(loss="20%")  # type: ignore[arg-type]
    honest = [one(fault.judge(held(*looks_with(0.2, 5, seed)))).confirmed for seed in range(300)]
    halved = [one(fault.judge(held(*looks_with(0.1, 5, seed)))).confirmed for seed in range(300)]
    assert honest.count(False) <= 3
    assert halved.count(True) <= 3


def test_a_share_needs_one_that_was_hit() -> None:
    assert not one(Loss(loss="1%").judge(held(look(Flow(50, 50))))).confirmed  # type: ignore[arg-type]


def test_losses_of_others_are_taken_out() -> None:
    fault = Loss(loss="20%")  # type: ignore[arg-type]
    other = ((HOST, LinkProfile(loss=C(0.5))),)
    assert one(fault.judge(held(look(lossy(0.6, 2000), 0, other)))).confirmed
    assert not one(fault.judge(held(look(lossy(0.5, 2000), 0, other)))).confirmed


def test_a_share_that_rises_must_be_seen_rising() -> None:
    fault = Loss(loss={"ramp": "0%..40%", "over": "8s"})  # type: ignore[arg-type]
    rising = [look(lossy((n + 0.5) * 0.05, seed=n), n) for n in range(8)]
    assert one(fault.judge(held(*rising))).confirmed
    assert not one(fault.judge(held(*looks_with(0.2, 8, 5)))).confirmed


def test_duplicates_and_reordering_are_shares_too() -> None:
    twice = Flow(200, 200, (0.0001,) * 200, duplicates=40)
    assert one(Duplicate(duplicate="20%").judge(held(look(twice)))).confirmed  # type: ignore[arg-type]
    assert not one(Duplicate(duplicate="50%").judge(held(look(twice)))).confirmed  # type: ignore[arg-type]
    late = Flow(200, 200, (0.0001,) * 160 + (0.0101,) * 40, reordered=30)
    assert one(Reorder(reorder="20%").judge(held(look(late)))).confirmed  # type: ignore[arg-type]
    assert not one(Reorder(reorder="40%").judge(held(look(late)))).confirmed  # type: ignore[arg-type]


# ---------------------------------------------------------------- rates and partitions


def test_a_rate_is_confirmed_within_ten_per_cent_unless_another_is_slower() -> None:
    fault = Bandwidth(rate="10mbit")  # type: ignore[arg-type]

    def seen(rate: float, *others: LinkProfile) -> bool | None:
        flow = Flow(100, 100, bits_per_s=rate)
        looks = [look(flow, n, tuple((HOST, other) for other in others)) for n in range(3)]
        return one(fault.judge(held(*looks))).confirmed

    assert seen(9.8e6)
    assert not seen(20e6)
    assert not seen(0.0)
    assert not seen(5e6)
    assert seen(9.8e6, LinkProfile(rate=C(50e6)))
    assert seen(5e6, LinkProfile(rate=C(5e6))) is False
    fast = look(Flow(100, 100, bits_per_s=900e6), -2)
    assert fault.gone(held(before=fast), fast) == ""
    assert "10mbit only" in fault.gone(held(before=fast), look(Flow(9, 9, bits_per_s=10e6)))


def test_a_partition_lets_nothing_pass_and_tells_only_when_it_should() -> None:
    silent, refused, leaking = Flow(100, 0), Flow(100, 0, refused=100), Flow(100, 1)
    drop = Partition(direction="forth")
    reject = Partition(direction="forth", mode="reject")
    assert one(drop.judge(held(look(silent)))).confirmed
    assert not one(drop.judge(held(look(leaking)))).confirmed
    assert not one(drop.judge(held(look(refused)))).confirmed
    assert one(reject.judge(held(look(refused)))).confirmed
    assert not one(reject.judge(held(look(silent)))).confirmed
    assert not one(drop.judge(held(look(silent), before=look(silent, -2)))).confirmed
    assert drop.gone(held(), look(CALM)) == ""
    assert "0 of 100" in drop.gone(held(), look(silent))


# ---------------------------------------------------------------- the rules themselves


def test_readings_must_fit_on_average_too() -> None:
    high = [Reading(1.0, 1.2, 0.1, 0.1, noise=0.05) for _ in range(9)]
    assert all(reading.fits for reading in high)
    assert not followed("x", "s", high).confirmed
    assert followed("x", "s", []).confirmed is False


def test_wilson_holds_the_share() -> None:
    for hits, of in ((0, 10), (10, 10), (3, 200), (100, 200)):
        value, low, high = wilson(hits, of)
        assert 0 <= low <= value <= high <= 1
    assert share_of("x", [Count(0.5, 0, 0)]).confirmed is False
