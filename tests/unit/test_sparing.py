"""What faults leave alone: lookups, and probes of the node's own, told from what it passes on."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from harness.agent.effects import DNS, PROBES, InForce, LinkProfile, Spared
from harness.mechanisms.netem_plan import Class, classes, refusal
from harness.mechanisms.packets import TCP, UDP, ip_header
from harness.mechanisms.pipeline import Pipeline
from harness.mechanisms.spared_here import settled
from harness.mechanisms.sparing import caught

POD, NODE, RESOLVER, OTHER = (f"198.18.0.{n}" for n in (2, 1, 53, 9))
LOOKUPS = Spared(DNS, (RESOLVER,), (53,))
ASKED = Spared(PROBES, (NODE,), (8080,), ttl=64)
CUT = LinkProfile(direction="both", cut="drop", spared=(LOOKUPS, ASKED))


def frame(
    source: str, destination: str, ports: tuple[int, int], protocol: int = TCP, ttl: int = 64
) -> bytes:
    head = struct.pack("!HHIIBBHHH", *ports, 1, 2, 0x50, 0x10, 100, 0, 0)
    start, end = socket.inet_aton(source), socket.inet_aton(destination)
    packet = bytearray(ip_header(start, end, protocol, len(head)) + head)
    packet[8] = ttl
    return bytes(12) + b"\x08\x00" + packet


def pipe(*profiles: LinkProfile) -> Pipeline:
    made = Pipeline()
    made.set(tuple(InForce(f"e{n}", profile, 0.0) for n, profile in enumerate(profiles)))
    return made


def passes(here: Pipeline, whole: bytes, *, forth: bool) -> bool:
    return bool(here.take(whole, forth, 1.0))


def test_lookups_pass_both_ways_and_nothing_else_of_the_resolver() -> None:
    here = pipe(CUT)
    for protocol in (TCP, UDP):
        assert passes(here, frame(POD, RESOLVER, (40000, 53), protocol), forth=True)
        assert passes(here, frame(RESOLVER, POD, (53, 40000), protocol), forth=False)
    assert not passes(here, frame(POD, RESOLVER, (40000, 80)), forth=True)
    assert not passes(here, frame(POD, OTHER, (40000, 53)), forth=True)
    assert not passes(here, frame(RESOLVER, POD, (640, 53)), forth=False), "a probe of ours"
    assert here.counts == {"e0": 2}


def test_a_kubelets_probe_is_told_from_load_by_its_ttl_and_answers_by_their_connection() -> None:
    here = pipe(CUT)
    probe, passed_on = (NODE, POD, (41000, 8080)), (NODE, POD, (42000, 8080))
    assert not passes(here, frame(POD, NODE, (8080, 41000)), forth=True), "nobody asked yet"
    assert passes(here, frame(*probe), forth=False)
    assert passes(here, frame(POD, NODE, (8080, 41000)), forth=True)
    assert not passes(here, frame(*passed_on, ttl=63), forth=False)
    assert not passes(here, frame(POD, NODE, (8080, 42000)), forth=True)
    assert not passes(here, frame(*probe, ttl=63), forth=False), "the port is used again"
    assert not passes(here, frame(POD, NODE, (8080, 41000)), forth=True)
    assert not passes(here, frame(OTHER, POD, (41000, 8080)), forth=False), "a pod beside it"
    assert not passes(here, frame(NODE, POD, (41000, 9090)), forth=False)


def test_who_asks_is_looked_at_where_only_answers_are_treated() -> None:
    slow = LinkProfile(spared=(LOOKUPS, ASKED))
    assert caught([slow], True) is None
    assert caught([slow], False) == frozenset({socket.inet_aton(NODE)})
    assert caught([LinkProfile()], False) == frozenset()
    assert caught([CUT], False) is None
    assert caught([LinkProfile(peers=(OTHER,))], True) == frozenset({socket.inet_aton(OTHER)})


def test_a_hosts_own_resolvers_are_found_where_it_lives(tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/resolv.conf").write_text(
        "search shop.svc\nnameserver 10.9.9.10\nnameserver fd00::10\nnameserver\n"
    )
    own = InForce("x", LinkProfile(spared=(Spared(DNS, (RESOLVER,), (53,), own=True),)), 0.0)
    (found,) = settled((own,), f"{tmp_path}/ns/net")
    assert isinstance(found.effect, LinkProfile)
    assert found.effect.spared[0].addresses == (RESOLVER, "10.9.9.10")
    assert settled((own,), "/nonexistent/ns/net") == (own,)


def test_each_effect_spares_for_itself() -> None:
    here = pipe(CUT, LinkProfile(cut="drop"))
    assert not passes(here, frame(POD, RESOLVER, (40000, 53), UDP), forth=True)
    assert passes(here, frame(RESOLVER, POD, (53, 40000), UDP), forth=False)


def test_netem_leaves_out_what_is_spared_before_anything_else() -> None:
    one = InForce("one", LinkProfile(cut="drop", spared=(LOOKUPS,)), 0.0)
    two = InForce("two", LinkProfile(cut="drop"), 0.0)
    address = int.from_bytes(socket.inet_aton(RESOLVER), "big")
    lookups = tuple(
        ((number << 16, 0xFF << 16, 8), (address, 0xFFFFFFFF, 16), (53, 0xFFFF, 20))
        for number in (TCP, UDP)
    )
    assert classes([one], forth=True) == (
        Class((), lookups, apart=True), Class((one,), ((),))
    )  # fmt: skip
    assert classes([one, two], forth=True)[:2] == (
        Class((two,), lookups, apart=True), Class((), lookups, apart=True)
    )  # fmt: skip


def test_netem_leaves_kubelets_alone_only_where_it_can_tell_them() -> None:
    assert refusal([LinkProfile(direction="back", spared=(ASKED,))]) == ""
    assert refusal([LinkProfile(spared=(LOOKUPS,))]) == ""
    assert "kubelet's probes" in refusal([LinkProfile(spared=(ASKED,))])
    back = InForce("x", LinkProfile(direction="back", cut="drop", spared=(ASKED,)), 0.0)
    (word, *_), *_ = classes([back], forth=False)[0].matches
    assert word == (64 << 24 | TCP << 16, 0xFFFF << 16, 8)
