"""Each dependency fault on a real Toxiproxy, from its fields to its judgement: confirmed when made,
and only then; met by the application's own connections; taken back; what others put there stays."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from real_toxiproxy import free_port, toxiproxy
from small_world import Echo

from harness.agent.effects import InForce, Intercept, Snapshot, Toxic, ToxiproxyEdge
from harness.faults.dependency._edge import EdgeFault
from harness.faults.dependency.bandwidth import Bandwidth
from harness.faults.dependency.down import Down
from harness.faults.dependency.flapping import Flapping
from harness.faults.dependency.latency import Latency
from harness.faults.dependency.limit_data import LimitData
from harness.faults.dependency.reset import Reset
from harness.faults.dependency.slicer import Slicer
from harness.faults.dependency.slow_close import SlowClose
from harness.faults.dependency.timeout import Timeout
from harness.faults.fault import Held, Look
from harness.substrates.attached.toxiproxy import Toxiproxy
from harness.substrates.attached.toxiproxy_api import Server

ON = InForce("intercept", Intercept(), 0.0)
FAULTS = (
    Latency(delay="200ms", jitter="10ms"),
    Latency(delay={"step": ["100ms", "300ms"], "every": "1s"}),
    Down(), Reset(), Timeout(), Timeout(after="200ms"), Bandwidth(rate="800kbit"),
    SlowClose(delay="300ms"), Slicer(size="64B", pause="5ms"), LimitData(limit="100B"),
    Flapping(down="500ms", up="500ms"),
)  # fmt: skip
SHARES = (Latency(delay="200ms", share="50%"), LimitData(limit="100B", share="50%"))


@pytest.fixture(scope="module")
def edge() -> Iterator[ToxiproxyEdge]:
    listener = socket.create_server(("127.0.0.1", 0))
    Echo(listener)
    upstream = f"127.0.0.1:{listener.getsockname()[1]}"
    with toxiproxy() as url, listener:
        listen = f"127.0.0.1:{free_port()}"
        Server(url).create("redis", listen, upstream)
        yield ToxiproxyEdge("api->redis", url, listen, upstream, "0123456789abcde\n", ("api",))


@pytest.fixture
def traffic(edge: ToxiproxyEdge) -> Iterator[None]:
    """An application: some connections kept open, and new ones again and again."""
    over = threading.Event()
    host, _, port = edge.listen.rpartition(":")

    def call(keep: bool) -> None:
        made = None
        while not over.wait(0.05):
            with contextlib.suppress(OSError):
                made = made or socket.create_connection((host, int(port)), 1)
                made.sendall(b"x" * 200)
                if len(made.recv(200)) and keep:
                    continue
            if made:
                made.close()
            made = None
        if made:
            made.close()

    threads = [threading.Thread(target=call, args=(keep,)) for keep in (True, False)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def held_by(
    mechanism: Toxiproxy,
    edge: ToxiproxyEdge,
    before: Snapshot,
    fault: EdgeFault,
    made: Toxic | None,
) -> Held:
    """What the witness sees of a fault when this is what was made of it."""
    effect = fault.effect()
    first = Look(mechanism.measure(edge, effect, 0.8))
    since = time.monotonic()
    effects = (ON,) if made is None else (ON, InForce("fault/a->b", made, since))
    mechanism.make(edge, before, effects)
    looks = tuple(Look(mechanism.measure(edge, effect, 1.0)) for _ in range(2))
    return Held(edge, first, looks, since)


@pytest.mark.parametrize("fault", [*FAULTS, *SHARES], ids=lambda f: f"{f.kind} {f.says()}")
def test_each_fault_is_confirmed_when_made_and_only_then(edge, traffic, fault):
    mechanism, server = Toxiproxy(), Server(edge.server)
    before = mechanism.snapshot(edge)
    assert before.settings == {
        "proxy": "redis", "enabled": "true", "listen": edge.listen, "upstream": edge.upstream,
        "toxics of harness": "none", "toxics of others": "none",
    }  # fmt: skip
    mechanism.make(edge, before, (ON,))
    try:
        time.sleep(0.2)
        held = held_by(mechanism, edge, before, fault, fault.effect())
        assert all(line.confirmed is not False for line in fault.judge(held)), fault.judge(held)
        assert any(line.confirmed for line in fault.judge(held))
        met = mechanism.exercised(edge, "fault/a->b")
        assert met.count >= 1
        names = [t.name for t in server.toxics("redis")]
        assert all(name.startswith(before.mark) for name in names)
        mechanism.make(edge, before, (ON,))
        assert server.toxics("redis") == ()
        assert fault.gone(held, Look(mechanism.measure(edge, fault.effect(), 0.4))) == ""
        undone = held_by(mechanism, edge, before, fault, None)
        assert any(line.confirmed is False for line in fault.judge(undone)), fault.judge(undone)
    finally:
        mechanism.make(edge, before, ())
    assert mechanism.snapshot(edge).settings == before.settings
