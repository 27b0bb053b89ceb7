"""The wire's effects as others see them: ping, plain sockets, the kernel's counters."""

from __future__ import annotations

import re
import socket
import statistics
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from small_world import SmallWorld, in_world
from wired import C, honest_cables, link_of, ports, profile, round_trips

from harness.agent.effects import Curve, InForce, Snapshot
from harness.agent.protocol import TargetGone
from harness.mechanisms import namespaces as ns
from harness.mechanisms.bridge import OPEN, SHUT, Bridge
from harness.mechanisms.wire import Wire

HOSTS = ("client", "a", "b")


class Wired:
    """A wire on host a, which is left as it was found."""

    def __init__(self, world: SmallWorld) -> None:
        honest_cables(world)
        self.world = world
        self.link = link_of(world, "a")
        self.wire = Wire()
        self.before = ports()
        self.snapshot: Snapshot = self.wire.snapshot(self.link)

    def make(self, *effects: InForce) -> None:
        self.wire.make(self.link, self.snapshot, effects)

    def take_back(self) -> None:
        self.make()
        assert ports() == self.before
        assert self.wire.snapshot(self.link) == self.snapshot

    def udp(self, count: int, size: int = 64, gap_s: float = 0.001) -> list[int]:
        """Numbers of the datagrams that client got from a, in their order."""
        got = receiver(self.world, "client")
        sender = bound(self.world, "a")
        for number in range(count):
            goal = (self.world.addresses["client"], 7000)
            sender.sendto(number.to_bytes(4, "big").ljust(size), goal)
            time.sleep(gap_s)
        time.sleep(0.2)
        found = []
        while True:
            try:
                found.append(int.from_bytes(got.recv(2048)[:4], "big"))
            except BlockingIOError:
                return found


def receiver(world: SmallWorld, host: str) -> socket.socket:
    found = bound(world, host)
    found.bind((world.addresses[host], 7000))
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    found.setblocking(False)
    return found


def bound(world: SmallWorld, host: str) -> socket.socket:
    return ns.inside(world.netns(host), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def udp_counter(world: SmallWorld, host: str, name: str) -> int:
    table = ns.inside(world.netns(host), lambda: Path("/proc/thread-self/net/snmp").read_text())
    names, values = (line.split()[1:] for line in table.splitlines() if line.startswith("Udp:"))
    return int(values[names.index(name)])


@in_world(*HOSTS)
def test_a_delay_is_one_way_and_on_this_host_only(world: SmallWorld) -> None:
    wired = Wired(world)
    wired.make(profile(delay=C(0.05)))
    assert 50 <= statistics.median(round_trips(world, "client", "a")) < 60
    assert statistics.median(round_trips(world, "client", "b")) < 10
    wired.make(profile(delay=C(0.05), direction="both"))
    assert 100 <= statistics.median(round_trips(world, "client", "a")) < 115
    wired.make(profile(delay=C(0.05), peers=(world.addresses["b"],)))
    assert statistics.median(round_trips(world, "client", "a")) < 10
    assert 50 <= statistics.median(round_trips(world, "a", "b")) < 60
    wired.take_back()
    assert statistics.median(round_trips(world, "client", "a")) < 10


@in_world(*HOSTS)
def test_several_effects_add_up_and_end_one_by_one(world: SmallWorld) -> None:
    wired = Wired(world)
    one, two = profile("one", delay=C(0.02)), profile("two", delay=C(0.04), direction="back")
    wired.make(one, two)
    assert 60 <= statistics.median(round_trips(world, "client", "a")) < 70
    wired.make(two)
    assert 40 <= statistics.median(round_trips(world, "client", "a")) < 50
    wired.take_back()


@in_world(*HOSTS)
def test_a_ramp_rises_while_it_is_on(world: SmallWorld) -> None:
    wired = Wired(world)
    wired.make(profile(delay=Curve(((0.0, 0.0), (2.0, 0.2)))))
    trips = round_trips(world, "client", "a", 40)
    assert trips[0] < trips[len(trips) // 2] < trips[-1]
    time.sleep(1.5)
    assert 200 <= statistics.median(round_trips(world, "client", "a")) < 220
    wired.take_back()


@in_world(*HOSTS)
def test_loss_duplication_and_order(world: SmallWorld) -> None:
    wired = Wired(world)
    wired.make(profile(loss=C(0.3)))
    assert 120 < 600 - len(set(wired.udp(600))) < 250
    wired.make(profile(duplicate=C(0.3)))
    got = wired.udp(600)
    assert len(set(got)) == 600
    assert 120 < len(got) - 600 < 250
    wired.make(profile(reorder=C(0.2), hold=0.01))
    got = wired.udp(600)
    assert sorted(got) == list(range(600))
    assert sum(b < a for a, b in pairwise(got)) > 30
    wired.take_back()
    assert wired.udp(300) == list(range(300))


@in_world(*HOSTS)
def test_corrupted_packets_are_dropped_by_the_receivers_checksum(world: SmallWorld) -> None:
    wired = Wired(world)
    before = udp_counter(world, "client", "InCsumErrors")
    wired.make(profile(corrupt=C(0.3)))
    lost = 600 - len(wired.udp(600, size=400))
    assert 120 < lost < 250
    assert udp_counter(world, "client", "InCsumErrors") - before > 0.8 * lost
    wired.take_back()


@in_world(*HOSTS)
def test_a_rate_limits_a_transfer(world: SmallWorld) -> None:
    wired = Wired(world)
    assert transfer(world, 4 << 20) > 100e6
    wired.make(profile(rate=C(20e6)))
    assert 14e6 < transfer(world, 4 << 20) < 21e6
    wired.take_back()


def transfer(world: SmallWorld, size: int) -> float:
    """Bits a second of a TCP transfer from a to client; every byte must arrive."""
    listener = world.listen("client", 7001)
    sender = world.connect("a", "client", 7001)
    receiving, _ = listener.accept()
    begin = time.monotonic()
    thread = threading.Thread(target=lambda: (sender.sendall(bytes(size)), sender.close()))
    thread.start()
    got = 0
    while data := receiving.recv(1 << 16):
        got += len(data)
    took = time.monotonic() - begin
    thread.join()
    listener.close()
    assert got == size
    return size * 8 / took


@in_world(*HOSTS)
def test_a_partition_is_silent_or_tells(world: SmallWorld) -> None:
    wired = Wired(world)
    world.serve("a", 7002)
    wired.make(profile(cut="drop", direction="both"))
    with pytest.raises(TimeoutError):
        world.connect("client", "a", 7002, timeout=0.5)
    wired.make(profile(cut="reject", direction="both"))
    begin = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        world.connect("client", "a", 7002, timeout=3)
    assert time.monotonic() - begin < 1
    connected = bound(world, "client")
    connected.settimeout(3)
    connected.connect((world.addresses["a"], 7003))
    connected.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        connected.recv(10)
    wired.take_back()
    world.connect("client", "a", 7002, timeout=3).close()


@in_world(*HOSTS)
def test_what_the_bridge_floods_is_none_of_the_relays_business(world: SmallWorld) -> None:
    wired = Wired(world)
    world.serve("b", 7002)
    world.connect("client", "b", 7002).close()  # so that nobody has to ask for an address
    wired.make(profile(cut="reject", direction="both"))
    with Bridge() as net:
        for state in (SHUT, OPEN):
            net.set_state(link_of(world, "b").port, state)  # the bridge forgets where b is
    held = world.connect("client", "b", 7002, timeout=3)
    assert ask(held) == b"x"
    assert wired.wire.exercised(wired.link, "x").count == 0
    wired.take_back()


@in_world(*HOSTS)
def test_a_port_alone_is_cut_off_and_open_connections_with_it(world: SmallWorld) -> None:
    wired = Wired(world)
    world.serve("a", 7002), world.serve("a", 7004)
    held = world.connect("client", "a", 7002)
    wired.make(profile(cut="reject", direction="both", ports=(7002,), protocol="tcp"))
    with pytest.raises(ConnectionRefusedError):
        world.connect("client", "a", 7002, timeout=3)
    with pytest.raises(ConnectionError):
        ask(held)
    world.connect("client", "a", 7004, timeout=3).close()
    assert len(round_trips(world, "client", "a")) == 10
    wired.take_back()


def ask(connection: socket.socket) -> bytes:
    connection.sendall(b"x")
    return connection.recv(1)


@in_world(*HOSTS)
def test_next_to_nothing_is_lost_when_effects_come_change_and_go(world: SmallWorld) -> None:
    wired = Wired(world)
    pinging = ns.inside(
        world.netns("client"),
        lambda: subprocess.Popen(
            ["ping", "-q", "-i", "0.003", "-c", "1000", world.addresses["a"]],
            stdout=subprocess.PIPE, text=True,
        ),
    )  # fmt: skip
    one, two = profile("one", delay=C(0.02)), profile("two", delay=C(0.04), direction="both")
    for _ in range(4):
        for effects in ((one,), (one, two), (two,), ()):
            time.sleep(0.12)
            wired.make(*effects)
    said = pinging.communicate(timeout=60)[0]
    found = re.search(r"(\d+) received", said)
    # One change in some hundred loses a packet or two, for a reason not found; a gap would show.
    assert found is not None
    assert int(found[1]) >= 997, said
    wired.take_back()


@in_world(*HOSTS)
def test_a_change_of_effects_keeps_the_order_of_a_flow(world: SmallWorld) -> None:
    wired = Wired(world)
    slow, quick = profile("slow", delay=C(0.1)), profile("quick", delay=C(0.001))
    wired.make(slow, quick)
    numbers: list[int] = []
    thread = threading.Thread(target=lambda: numbers.extend(wired.udp(300)))
    thread.start()
    time.sleep(0.15)
    wired.make(quick)
    thread.join()
    assert numbers == list(range(300))
    wired.take_back()


@in_world(*HOSTS)
def test_exercised_counts_the_applications_packets_that_matched(world: SmallWorld) -> None:
    wired = Wired(world)
    wired.make(profile("port", delay=C(0.001), ports=(7000,), protocol="udp"))
    wired.udp(50)
    round_trips(world, "client", "a")
    assert wired.wire.exercised(wired.link, "port").count == 50
    wired.wire.measure(wired.link, profile(ports=(7000,), protocol="udp").effect, 0.3)  # type: ignore[arg-type]
    assert wired.wire.exercised(wired.link, "port").count == 50
    wired.take_back()
    assert wired.wire.exercised(wired.link, "port").count == 50


@in_world(*HOSTS)
def test_probes_leave_no_trace_with_an_application(world: SmallWorld) -> None:
    wired = Wired(world)
    got = receiver(world, "a")
    echo = world.serve("a", 7005)
    for fields in ({"protocol": "udp", "ports": (7000,)}, {"ports": (7005,)}):
        seen = wired.wire.measure(wired.link, profile(**fields).effect, 0.3)  # type: ignore[arg-type]
        assert seen.back
        assert seen.back.received == seen.back.sent
    with pytest.raises(BlockingIOError):
        got.recv(100)
    assert echo.peers == []


@in_world(*HOSTS)
def test_a_port_that_is_gone_is_a_target_that_is_gone(world: SmallWorld) -> None:
    wired = Wired(world)
    wired.make(profile(delay=C(0.01)))
    with ns.Netlink() as net:
        net.delete("v-2")
    wired.make()
    assert [name for name, _ in ports()] == ["v-1", "v-3"]
    with pytest.raises(TargetGone):
        wired.make(profile(delay=C(0.01)))
