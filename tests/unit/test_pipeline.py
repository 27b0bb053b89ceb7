"""Frames through the pipe of a link with faults: numbers in, numbers out, no waiting."""

from __future__ import annotations

import socket
import statistics
import struct
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agent.effects import Curve, InForce, LinkProfile
from harness.mechanisms.packets import (
    ICMP,
    TCP,
    UDP,
    checksum,
    flipped,
    ip_header,
    read,
    refusal,
)
from harness.mechanisms.pipeline import QUEUE_S, Out, Pipeline

A, B = socket.inet_aton("198.18.0.1"), socket.inet_aton("198.18.0.2")
C = Curve.constant


def frame(
    protocol: int = TCP, sport: int = 40000, dport: int = 80, size: int = 100, flags: int = 0x10
) -> bytes:
    if protocol == TCP:
        head = struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, 0x50, flags, 100, 0, 0)
    elif protocol == UDP:
        head = struct.pack("!HHHH", sport, dport, 8 + size, 0)
    else:
        head = struct.pack("!BBHHH", 8, 0, 0, sport, 1)
    body = head + bytes(size)
    return bytes(12) + b"\x08\x00" + ip_header(A, B, protocol, len(body)) + body


def pipe(*profiles: LinkProfile) -> Pipeline:
    made = Pipeline()
    made.set(tuple(InForce(f"e{n}", profile, 0.0) for n, profile in enumerate(profiles)))
    return made


def test_without_effects_a_frame_goes_on_at_once() -> None:
    assert pipe().take(frame(), forth=True, now=5.0) == (Out(5.0, frame()),)


def test_arp_and_ipv6_are_never_touched() -> None:
    for kind in (b"\x08\x06", b"\x86\xdd"):
        other = bytes(12) + kind + bytes(60)
        assert pipe(LinkProfile(cut="drop")).take(other, True, 1.0) == (Out(1.0, other),)


def test_direction_peers_ports_and_protocol_are_the_filter() -> None:
    def stopped(forth: bool = True, **fields: object) -> bool:
        profile = LinkProfile(cut="drop", **fields)  # type: ignore[arg-type]
        return pipe(profile).take(frame(), forth, 0.0) == ()

    assert stopped()
    assert not stopped(forth=False)
    assert stopped(forth=False, direction="back")
    assert not stopped(direction="back")
    assert stopped(direction="both")
    assert stopped(forth=False, direction="both")
    assert stopped(peers=("198.18.0.2",))
    assert not stopped(peers=("198.18.0.9",))
    assert stopped(forth=False, direction="both", peers=("198.18.0.1",))
    assert stopped(ports=(80,))
    assert stopped(ports=(40000,))
    assert not stopped(ports=(81,))
    assert stopped(protocol="tcp")
    assert not stopped(protocol="udp")


def test_delays_add_up_and_shares_are_drawn() -> None:
    made = pipe(LinkProfile(delay=C(0.1)), LinkProfile(delay=C(0.2)), LinkProfile(loss=C(0.25)))
    outs = [out for n in range(4000) for out in made.take(frame(), True, n * 0.01)]
    assert abs(len(outs) - 3000) < 150
    assert {round(out.at % 0.01, 6) for out in outs} <= {0.0, 0.01}
    assert made.take(frame(), False, 99.0) == (Out(99.0, frame()),)


def test_the_seed_says_which_packets_a_share_meets() -> None:
    def lost(seed: int) -> list[int]:
        made = pipe(LinkProfile(loss=C(0.25), seed=seed))
        return [n for n in range(200) if not made.take(frame(), True, n * 0.01)]

    assert lost(5) == lost(5) != lost(6)


def test_a_jitter_keeps_order_has_no_bias_and_stays_within() -> None:
    made = pipe(LinkProfile(delay=C(0.05), jitter=0.02))
    times = [(n * 0.002, made.take(frame(), True, n * 0.002)[0].at) for n in range(30000)]
    delays = [at - now for now, at in times]
    assert all(b >= a for (_, a), (_, b) in pairwise(times))
    assert min(delays) >= 0.03
    assert max(delays) <= 0.07
    assert abs(statistics.mean(delays) - 0.05) < 0.002


def test_a_rate_is_kept_and_its_queue_is_bounded() -> None:
    made = pipe(LinkProfile(rate=C(1e6)))
    outs = [out for _ in range(500) for out in made.take(frame(size=1000), True, 0.0)]
    bits = sum(len(out.frame) for out in outs) * 8
    assert abs(bits / outs[-1].at - 1e6) < 1e3
    assert outs[-1].at < QUEUE_S + 0.02
    assert made.take(frame(), False, 0.0)[0].at == 0.0


def test_a_ramp_counts_from_its_inject() -> None:
    made = Pipeline()
    made.set((InForce("ramp", LinkProfile(delay=Curve(((0.0, 0.0), (10.0, 1.0)))), 100.0),))
    for at, delay in ((100.0, 0.0), (105.0, 0.5), (120.0, 1.0)):
        assert abs(made.take(frame(), True, at)[0].at - at - delay) < 1e-6


def test_probes_are_treated_but_not_counted() -> None:
    made = pipe(LinkProfile(delay=C(0.1)))
    made.take(frame(sport=700), True, 0.0)
    made.take(frame(dport=700), True, 0.0)
    assert made.counts == {}
    made.take(frame(), True, 0.0)
    assert made.counts == {"e0": 1}


def test_what_is_held_stays_ahead_when_the_effects_change() -> None:
    made = pipe(LinkProfile(delay=C(1.0)))
    held = made.take(frame(), True, 0.0)
    made.set((InForce("quick", LinkProfile(delay=C(0.01)), 0.0),), held)
    assert made.take(frame(), True, 0.5)[0].at == held[0].at
    assert made.take(frame(sport=40001), True, 0.5)[0].at == 0.51
    assert made.take(frame(), True, 2.0)[0].at == 2.01


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 0.02)), min_size=1, max_size=4), st.data()
)
def test_changes_never_reorder_a_flow(
    stages: list[tuple[float, float]], data: st.DataObject
) -> None:
    made, held, sent = Pipeline(), [], []
    for n in range(60):
        now = n * 0.01
        if n % 10 == 0:
            chosen = data.draw(st.sets(st.sampled_from(range(len(stages)))))
            effects = [
                InForce(f"e{i}", LinkProfile(delay=C(stages[i][0]), jitter=stages[i][1]), 0.0)
                for i in sorted(chosen)
            ]
            made.set(tuple(effects), [out for out in held if out.at > now])
        out = made.take(frame(), True, now)[0]
        held.append(out)
        sent.append(out.at)
    assert sent == sorted(sent)


def test_one_bit_is_flipped_and_only_behind_the_ip_header() -> None:
    whole = frame(size=50)
    packet = read(whole)
    assert packet is not None
    for chance in (0.0, 0.3, 0.999999):
        odd = [(a ^ b) for a, b in zip(whole, flipped(whole, packet, chance), strict=True)]
        assert sum(each.bit_count() for each in odd) == 1
        assert not any(odd[: packet.at])


def test_refusals_are_what_a_kernel_would_say() -> None:
    syn = frame(flags=0x02, size=0)
    packet = read(syn)
    assert packet is not None
    reset = refusal(syn, packet)
    assert reset is not None
    answer = read(reset)
    assert answer is not None
    assert (answer.source, answer.destination) == (B, A)
    assert (answer.sport, answer.dport) == (80, 40000)
    sequence, acknowledged, _, flags = struct.unpack_from("!IIBB", reset, answer.at + 4)
    assert (sequence, acknowledged, flags) == (0, 1001, 0x14)
    pseudo = B + A + struct.pack("!BBH", 0, TCP, 20)
    assert checksum(pseudo + reset[answer.at : answer.at + 20]) == 0
    assert checksum(reset[14:34]) == 0
    assert refusal(reset, answer) is None

    datagram = frame(UDP)
    packet = read(datagram)
    assert packet is not None
    unreachable = refusal(datagram, packet)
    assert unreachable is not None
    answer = read(unreachable)
    assert answer is not None
    assert answer.protocol == ICMP
    assert unreachable[answer.at : answer.at + 2] == b"\x03\x03"
    assert (answer.sport, answer.dport) == (80, 40000)
    assert refusal(unreachable, answer) is None


@given(st.binary(max_size=200))
def test_any_frame_can_be_read(data: bytes) -> None:
    made = pipe(LinkProfile(cut="reject", direction="both"), LinkProfile(corrupt=C(1.0)))
    for framed in (data, bytes(12) + b"\x08\x00" + data):
        packet = read(framed)
        if packet is not None:
            flipped(framed, packet, 0.5)
            made.take(framed, True, 0.0)
