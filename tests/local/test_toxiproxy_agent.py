"""Toxics on a real Toxiproxy are on a lease: whoever of the agent is killed, they go; and what a
fresh agent takes back, it takes back by the receipt alone, as often as it is asked to."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fire import LEASE_AND_1_S, wait
from real_toxiproxy import free_port, toxiproxy
from small_world import Echo
from toxiproxy.toxic import Toxic as Named

from harness.agent.effects import Curve, InForce, Intercept, Snapshot, Toxic, ToxiproxyEdge
from harness.capabilities import HandsError
from harness.selftest.proxied import proxied
from harness.substrates.attached import agents_here
from harness.substrates.attached.toxiproxy_api import Server

SLOW = InForce("f", Toxic("latency", numbers=(("latency", Curve.constant(50.0)),)), 0.0)
ON = InForce("intercept", Intercept(), 0.0)
DOWN = InForce("d", Toxic("down"), 0.0)


@pytest.fixture
def edge() -> Iterator[ToxiproxyEdge]:
    with toxiproxy() as url, socket.create_server(("127.0.0.1", 0)) as listener:
        Echo(listener)
        upstream, listen = f"127.0.0.1:{listener.getsockname()[1]}", f"127.0.0.1:{free_port()}"
        Server(url).create("back", listen, upstream)
        yield ToxiproxyEdge("front->back", url, listen, upstream, "0123456789abcde\n", ("front",))


def ours(edge: ToxiproxyEdge) -> list[str]:
    return [t.name for t in Server(edge.server).toxics("back") if t.name.startswith("harness-")]


def is_as_before(edge: ToxiproxyEdge) -> bool:
    (proxy,) = Server(edge.server).proxies()
    return not ours(edge) and proxy.enabled


@pytest.mark.parametrize("victim", ["agent", "reaper", "both"])
def test_whoever_is_killed(edge: ToxiproxyEdge, victim: str, tmp_path: Path) -> None:
    with agents_here(tmp_path, 2.0) as hands:
        snapshot = hands.snapshot(edge)
        hands.make(edge, "r", 1, snapshot, (ON, SLOW, DOWN))
        assert ours(edge)
        assert not is_as_before(edge)
        agent = psutil.Process(hands._hands.hello()["pid"])  # type: ignore[attr-defined]
        reaper = agent.parent()
        for process in {"agent": [agent], "reaper": [reaper], "both": [reaper, agent]}[victim]:
            os.kill(process.pid, signal.SIGSTOP if victim == "both" else signal.SIGKILL)
        if victim == "both":
            reaper.kill()
            agent.kill()
            time.sleep(0.5)
            assert ours(edge), "only the receipt is left"
            hands.make(edge, "r", 2, snapshot, ())
        wait(lambda: is_as_before(edge), LEASE_AND_1_S, "end of our toxics")


def test_a_lease_that_is_not_renewed(edge: ToxiproxyEdge, tmp_path: Path) -> None:
    with agents_here(tmp_path, 1.0) as hands:
        hands.make(edge, "r", 1, hands.snapshot(edge), (ON, SLOW))
        wait(lambda: is_as_before(edge), LEASE_AND_1_S, "end of our toxics")
        with pytest.raises(HandsError, match="lease"):
            hands.renew()


def test_a_receipt_is_taken_back_again_and_again(edge: ToxiproxyEdge, tmp_path: Path) -> None:
    with agents_here(tmp_path, 60.0) as hands:
        snapshot = hands.snapshot(edge)
        for generation in (1, 2):
            hands.make(edge, "r", generation, snapshot, ())
        hands.make(edge, "r", 3, snapshot, (ON, SLOW))
        with agents_here(tmp_path, 5.0) as other:
            with pytest.raises(HandsError, match="another run of harness"):
                other.make(edge, "s", 1, other.snapshot(edge), (ON,))
            for generation in (1, 2):
                other.make(edge, "r", generation, snapshot, ())
            assert is_as_before(edge)


def test_a_server_that_has_died_has_nothing_to_take_back(tmp_path: Path) -> None:
    edge = ToxiproxyEdge(
        "a->b", f"http://127.0.0.1:{free_port()}", "127.0.0.1:1", "127.0.0.1:2", "x"
    )
    settings = {"proxy": "back", "enabled": "true", "toxics of harness": "none"}
    with agents_here(tmp_path, 5.0) as hands, pytest.raises(HandsError) as caught:
        hands.make(edge, "r", 1, Snapshot("toxiproxy", settings, "harness-1"), ())
    assert caught.value.target_gone


def test_the_selftest_sees_what_is_left_on_a_server() -> None:
    with toxiproxy() as url, proxied(url, "p") as between:
        assert between.left() == ()
        server = Server(url)
        server.add("p", Named(name="harness-1-f", type="noop", stream="downstream"))
        server.enable("p", enabled=False)
        assert between.left() == (f"toxic harness-1-f on {url}", "proxy p is down")
        server.delete("p")
        assert between.left() == (f"no proxy p on {url} any more",)
