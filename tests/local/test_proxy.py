"""The proxy and its toxics on real connections between real network namespaces.

What a toxic does is seen here by plain sockets and the real server, never by the proxy's witness
alone; where the witness is asked, it is compared with what the sockets saw.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_world import SmallWorld, in_world, until

from harness.agent.effects import Curve, Edge, InForce, Intercept, Snapshot, Toxic
from harness.mechanisms.proxy import Proxy

PORT = 5432
NOTHING = Snapshot("proxy", {"redirect": "none"})
ON = InForce("intercept", Intercept(), 0.0)


def edge_of(world: SmallWorld) -> Edge:
    upstreams = tuple(a for host, a in world.addresses.items() if host.startswith("server"))
    return Edge("client->server", world.netns("client"), upstreams, PORT)


def toxic(kind: str, stream: str = "downstream", share: float = 1.0, **numbers: float) -> InForce:
    curves = tuple((name, Curve.constant(value)) for name, value in numbers.items())
    return InForce(kind, Toxic(kind, stream, share, curves), time.monotonic())


def round_trip(connection: socket.socket) -> float:
    begun = time.monotonic()
    connection.sendall(b"ping")
    assert connection.recv(100) == b"ping"
    return time.monotonic() - begun


@in_world("client", "server")
def test_intercept_ends_open_connections_and_is_taken_back(world: SmallWorld) -> None:
    server, proxy, edge = world.serve("server", PORT), Proxy(), edge_of(world)
    assert proxy.works() == ""
    before = world.connect("client", "server", PORT)
    round_trip(before)
    assert proxy.snapshot(edge) == NOTHING
    proxy.make(edge, NOTHING, (ON,))
    assert proxy.snapshot(edge) != NOTHING
    assert proxy.exercised(edge, "intercept").count == 1
    with pytest.raises(ConnectionError):
        before.recv(1)
    through = world.connect("client", "server", PORT)
    round_trip(through)
    assert server.peers[-1][1] != through.getsockname()[1], "the proxy's own connection"
    assert server.peers[-1][0] == world.addresses["client"]
    assert "owner" in world.run("client", "nft", "list", "ruleset")
    seen = proxy.measure(edge, Intercept(), 0.2)
    assert (seen.outcome, seen.old_outcome) == ("ok", "ok")
    assert len(server.peers) == 2, "probes do not reach the server"
    proxy.make(edge, NOTHING, ())
    assert proxy.snapshot(edge) == NOTHING
    assert world.run("client", "nft", "list", "ruleset") == ""
    assert through.recv(1) == b""
    direct = world.connect("client", "server", PORT)
    round_trip(direct)
    assert server.peers[-1][1] == direct.getsockname()[1]


@in_world("client", "server")
def test_latency_acts_on_live_and_new_connections(world: SmallWorld) -> None:
    world.serve("server", PORT)
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON,))
    live = world.connect("client", "server", PORT)
    base = round_trip(live)
    before = proxy.measure(edge, None, 0.3)
    proxy.make(edge, NOTHING, (ON, toxic("latency", latency=200)))
    assert 0.2 <= round_trip(live) - base + 0.02 < 0.6
    assert 0.2 <= round_trip(world.connect("client", "server", PORT)) < 0.6
    seen = proxy.measure(edge, None, 0.5)
    assert (seen.outcome, seen.old_outcome) == ("ok", "ok")
    assert 0.19 < seen.round_trip - before.round_trip < 0.4
    assert 0.19 < seen.old_round_trip - before.old_round_trip < 0.4
    assert proxy.exercised(edge, "latency").count == 2, "ours are not counted"
    proxy.make(edge, NOTHING, (ON,))
    assert round_trip(live) < 0.1
    assert proxy.exercised(edge, "latency").count == 2
    proxy.make(edge, NOTHING, ())


@in_world("client", "server")
def test_down_refuses_new_and_closes_open_ones(world: SmallWorld) -> None:
    world.serve("server", PORT)
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON,))
    idle, busy = (world.connect("client", "server", PORT) for _ in range(2))
    round_trip(idle)
    time.sleep(1.2)
    round_trip(busy)
    proxy.measure(edge, None, 0.1)
    proxy.make(edge, NOTHING, (ON, toxic("down")))
    assert idle.recv(1) == b""
    assert busy.recv(1) == b""
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            world.connect("client", "server", PORT)
    seen = proxy.measure(edge, None, 0.2)
    assert (seen.outcome, seen.old_outcome) == ("refused", "closed")
    assert proxy.exercised(edge, "down").count == 4, "one was in use, three tried"
    proxy.make(edge, NOTHING, (ON,))
    round_trip(world.connect("client", "server", PORT))
    seen = proxy.measure(edge, None, 0.2)
    assert (seen.outcome, seen.old_outcome) == ("ok", "ok")
    assert proxy.exercised(edge, "down").count == 4
    proxy.make(edge, NOTHING, ())


@in_world("client", "server")
def test_reset_peer_resets_with_the_next_data(world: SmallWorld) -> None:
    server, proxy, edge = world.serve("server", PORT), Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON,))
    live = world.connect("client", "server", PORT)
    round_trip(live)
    proxy.make(edge, NOTHING, (ON, toxic("reset_peer", "upstream")))
    received = server.received
    for connection in (live, world.connect("client", "server", PORT)):
        with pytest.raises(ConnectionResetError):
            round_trip(connection)
    assert server.received == received
    seen = proxy.measure(edge, None, 0.2)
    assert (seen.outcome, seen.old_outcome) == ("reset", "reset")
    assert proxy.exercised(edge, "reset_peer").count == 2
    proxy.make(edge, NOTHING, (ON,))
    seen = proxy.measure(edge, None, 0.2)
    assert (seen.outcome, seen.old_outcome) == ("ok", "ok")
    proxy.make(edge, NOTHING, ())


@in_world("client", "server")
def test_timeout_hangs_until_taken_back_or_closes_after_its_time(world: SmallWorld) -> None:
    world.serve("server", PORT)
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON,))
    live = world.connect("client", "server", PORT, timeout=0.4)
    round_trip(live)
    proxy.make(edge, NOTHING, (ON, toxic("timeout")))
    with pytest.raises(TimeoutError):
        round_trip(live)
    seen = proxy.measure(edge, None, 0.3)
    assert (seen.outcome, seen.old_outcome) == ("timeout", "timeout")
    proxy.make(edge, NOTHING, (ON,))
    live.settimeout(5)
    assert live.recv(1) == b"", "what came meanwhile is lost, so it is closed"
    seen = proxy.measure(edge, None, 0.3)
    assert (seen.outcome, seen.old_outcome) == ("ok", "ok")
    proxy.make(edge, NOTHING, (ON, toxic("timeout", timeout=300)))
    again = world.connect("client", "server", PORT)
    begun = time.monotonic()
    again.sendall(b"x")
    assert again.recv(1) == b""
    assert 0.3 <= time.monotonic() - begun < 2
    seen = proxy.measure(edge, None, 0.3)
    assert (seen.outcome, seen.old_outcome) == ("closed", "closed")
    proxy.make(edge, NOTHING, ())


@in_world("client", "server")
def test_timeout_keeps_the_end_of_an_answer_back_too(world: SmallWorld) -> None:
    listener = world.listen("server", PORT)
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON, toxic("timeout")))
    caller = world.connect("client", "server", PORT, timeout=0.4)
    caller.sendall(b"x")
    server, _ = listener.accept()
    assert server.recv(1) == b"x"
    server.sendall(b"y")
    server.close()
    with pytest.raises(TimeoutError):
        caller.recv(1)
    caller.close()
    of_ours = f"ss -Htn state all dst {edge.upstreams[0]}"
    assert until(lambda: "CLOSE-WAIT" not in world.run("client", *of_ours.split()))
    proxy.make(edge, NOTHING, ())


@in_world("client", "server")
def test_no_byte_is_lost_or_moved_while_latency_comes_and_goes(world: SmallWorld) -> None:
    world.serve("server", PORT)
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON,))
    connection = world.connect("client", "server", PORT, timeout=30)
    payload = random.Random(1).randbytes(10_000_000)
    sent = threading.Thread(target=lambda: (connection.sendall(payload), connection.shutdown(1)))
    sent.start()
    stop = threading.Event()

    def stir() -> None:
        chance = random.Random(2)
        while not stop.is_set():
            one = toxic("latency", chance.choice(["upstream", "downstream"]), latency=30, jitter=30)
            proxy.make(edge, NOTHING, (ON, one) if chance.random() < 0.6 else (ON,))
            time.sleep(chance.uniform(0.01, 0.05))

    stirring = threading.Thread(target=stir)
    stirring.start()
    digest, count = hashlib.sha256(), 0
    while data := connection.recv(1 << 16):
        digest.update(data)
        count += len(data)
    stop.set()
    stirring.join()
    sent.join()
    assert count == len(payload)
    assert digest.digest() == hashlib.sha256(payload).digest()
    proxy.make(edge, NOTHING, ())


@in_world("client", "server-0", "server-1")
def test_a_share_of_the_connections_to_all_addresses(world: SmallWorld) -> None:
    servers = [world.serve(host, PORT) for host in ("server-0", "server-1")]
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON, toxic("reset_peer", "upstream", share=0.5)))
    reset = 0
    for n in range(60):
        try:
            round_trip(world.connect("client", f"server-{n % 2}", PORT))
        except ConnectionResetError:
            reset += 1
    assert 15 < reset < 45
    assert proxy.exercised(edge, "reset_peer").count == reset
    assert until(lambda: sum(len(server.peers) for server in servers) == 60)
    proxy.make(edge, NOTHING, ())


@in_world("client", "server")
def test_a_killed_proxy_takes_its_redirect_along_and_is_seen(world: SmallWorld) -> None:
    server, proxy, edge = world.serve("server", PORT), Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON, toxic("latency", latency=100)))
    through = world.connect("client", "server", PORT)
    round_trip(through)
    pid = proxy._running[edge].process.pid
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: world.run("client", "nft", "list", "ruleset") == "")
    with pytest.raises((ConnectionError, AssertionError)):
        round_trip(through)
    round_trip(world.connect("client", "server", PORT))
    received = server.received
    seen = proxy.measure(edge, None, 0.2)
    assert seen.outcome == "bypassed"
    assert seen.old_outcome == "bypassed"
    assert server.received == received, "a real server does not get our bytes"
    proxy.make(edge, NOTHING, (ON, toxic("latency", latency=100)))
    assert round_trip(world.connect("client", "server", PORT)) > 0.1, "made again"
    os.kill(proxy._running[edge].process.pid, signal.SIGSTOP)
    proxy.make(edge, NOTHING, ())
    assert world.run("client", "nft", "list", "ruleset") == "", "one that hangs is killed"


HOLDS = """
import sys, time
from harness.agent.effects import Edge, InForce, Intercept, Snapshot
from harness.mechanisms.proxy import Proxy
proxy = Proxy()
edge = Edge("client->server", "/run/netns/client", (sys.argv[1],), 5432)
proxy.make(edge, Snapshot("proxy"), (InForce("i", Intercept(), 0.0),))
print(proxy._running[edge].process.pid, flush=True)
time.sleep(60)
"""


@in_world("client", "server")
def test_nothing_is_left_when_its_owner_is_killed(world: SmallWorld) -> None:
    world.serve("server", PORT)
    argv = [sys.executable, "-c", HOLDS, world.addresses["server"]]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        os.kill(child, signal.SIGSTOP)  # even one that hangs
        through = world.connect("client", "server", PORT)
        owner.kill()
    fresh, edge = Proxy(), edge_of(world)
    fresh.make(edge, NOTHING, ())
    assert fresh.snapshot(edge) == NOTHING
    assert until(lambda: not Path(f"/proc/{child}/cmdline").read_bytes())
    assert until(lambda: _broken(through))


def _broken(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@in_world("client", "server")
def test_a_ramp_is_followed(world: SmallWorld) -> None:
    world.serve("server", PORT)
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON,))  # the ramp begins when it is made, not when a proxy is ready
    connection = world.connect("client", "server", PORT)
    round_trip(connection)
    ramp = Toxic("latency", numbers=(("latency", Curve(((0.0, 0.0), (2.0, 400.0)))),))
    proxy.make(edge, NOTHING, (ON, InForce("ramp", ramp, time.monotonic())))
    early = round_trip(connection)
    time.sleep(0.9)
    middle = round_trip(connection)
    time.sleep(1.5)
    late = round_trip(connection)
    assert early < 0.1 < middle < late
    assert 0.4 <= late < 0.8
    proxy.make(edge, NOTHING, ())


@in_world("client")
def test_an_unknown_toxic_is_refused_before_anything_is_done(world: SmallWorld) -> None:
    proxy = Proxy()
    edge = Edge("client->server", world.netns("client"), ("198.18.0.9",), PORT)
    with pytest.raises(ValueError, match="no toxic jammer"):
        proxy.make(edge, NOTHING, (ON, toxic("jammer")))
    with pytest.raises(ValueError, match="down is for all"):
        proxy.make(edge, NOTHING, (ON, toxic("down", share=0.5)))
    assert proxy.snapshot(edge) == NOTHING


@in_world("client", "server")
def test_limit_data_and_slow_close_and_bandwidth_on_open_connections(world: SmallWorld) -> None:
    world.serve("server", PORT)
    proxy, edge = Proxy(), edge_of(world)
    proxy.make(edge, NOTHING, (ON,))
    live, slow, ending = (world.connect("client", "server", PORT) for _ in range(3))
    for connection in (live, slow, ending):
        round_trip(connection)
    proxy.make(edge, NOTHING, (ON, toxic("limit_data", bytes=10)))
    live.sendall(b"x" * 15)
    assert b"".join(iter(lambda: live.recv(100), b"")) == b"x" * 10
    assert proxy.exercised(edge, "limit_data").count == 1
    proxy.make(edge, NOTHING, (ON, toxic("bandwidth", rate=100)))
    begun = time.monotonic()
    slow.sendall(b"x" * 50_000)
    received = 0
    while received < 50_000:
        received += len(slow.recv(1 << 16))
    assert 0.5 <= time.monotonic() - begun < 1.5
    proxy.make(edge, NOTHING, (ON, toxic("slow_close", delay=400)))
    begun = time.monotonic()
    ending.shutdown(socket.SHUT_WR)
    assert ending.recv(1) == b""
    assert 0.4 <= time.monotonic() - begun < 1.2
    assert proxy.exercised(edge, "slow_close").count == 1
    proxy.make(edge, NOTHING, ())
