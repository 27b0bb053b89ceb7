"""A whole run with every dependency fault in the shop of the demo, by either mechanism."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from checkout_here import SHOP, shop_here
from commands import harness, run
from real_toxiproxy import toxiproxy

from harness.faults import registry
from harness.substrates.attached.toxiproxy_api import Server

#: Faults on the database and on the cache at one time. A pool closes connections only when answers
#: come too late, so `slow_close` is met where the cache is slow, too.
_EXPERIMENT = f"""
apiVersion: harness/v1
kind: Experiment
metadata: {{name: every-dependency-fault}}
spec:
  hypothesis: The shop is itself again after whatever its dependencies do.
  system: system.yaml
  load:
    users: {SHOP}/shopper.py
    entry: web
    arrivals: {{tasks: 40/s}}
    warmup: 2s
    timeout: 1s
  timeline:
    - {{id: slow, at: 3s, for: 4s, fault: dependency.latency, from: api, to: cache, delay: 200ms}}
    - {{id: closing, at: 3s, for: 4s, fault: dependency.slow_close, from: api, to: cache, delay: 600ms}}
    - {{id: full, at: 10s, for: 4s, fault: dependency.bandwidth, from: api, to: database, rate: 80kbit}}
    - {{id: pieces, at: 10s, for: 4s, fault: dependency.slicer, from: api, to: cache, size: 64B, pause: 40ms}}
    - {{id: hangs, at: 17s, for: 4s, fault: dependency.timeout, from: api, to: database}}
    - {{id: down, at: 17s, for: 4s, fault: dependency.down, from: api, to: cache}}
    - {{id: flaps, at: 25s, for: 4s, fault: dependency.flapping, from: api, to: database, down: 1s, up: 1s}}
    - {{id: resets, at: 25s, for: 4s, fault: dependency.reset, from: api, to: cache}}
    - {{id: limited, at: 33s, for: 4s, fault: dependency.limit_data, from: api, to: cache, limit: 2KB}}
  objectives:
    - availability >= 90% during slow
    - recovery < 6s after limited
"""  # noqa: E501
KINDS = {kind for kind in registry.names() if kind.startswith("dependency.")}


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    (tmp_path / "reports").mkdir()
    path = tmp_path / "x.yaml"
    path.write_text(_EXPERIMENT)
    return path


@pytest.mark.timeout(400)
def test_every_fault_by_the_embedded_proxy(experiment: Path, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    system = ("--system", str(SHOP / "system.yaml"))
    _, report = run(experiment, tmp_path / "reports", *system, "--retry-invalid", "2", **state)
    took_part(report, "proxy")
    assert "nothing" in harness("recover", "--all", **state).stdout


def took_part(report: dict[str, Any], mechanism: str) -> None:
    """Every fault was seen, met, and seen gone; the shop lived through all of them."""
    assert report["verdict"] == "pass", (report["reasons"], report["objectives"])
    effects = report["effects"]
    assert {effect["fault"] for effect in effects} == KINDS
    assert {effect["mechanism"] for effect in effects} == {mechanism}
    for effect in effects:
        assert effect["confirmed"], effect
        assert effect["exercised"]["count"] >= 1, effect
        assert effect["left_behind"] == [], effect


@pytest.mark.timeout(400)
def test_every_fault_by_a_real_toxiproxy(experiment: Path, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with toxiproxy() as url, shop_here(tmp_path / "shop", url) as shop:
        (tmp_path / "system.yaml").write_text(shop.system(url))
        before = [vars(proxy) for proxy in Server(url).proxies()]
        with ThreadPoolExecutor(1) as pool:
            options = ("--retry-invalid", "2")
            running = pool.submit(run, experiment, tmp_path / "reports", *options, **state)
            listed = until_on(running, "slow/api->cache", state)
        assert " s left" in listed, listed
        took_part(running.result()[1], "toxiproxy")
        assert [vars(proxy) for proxy in Server(url).proxies()] == before
        assert all(Server(url).toxics(name) == () for name in ("database", "cache"))
        assert "nothing" in harness("recover", "--all", **state).stdout
        assert "nothing was left behind" in harness("ps", **state).stdout


def until_on(running: Future[Any], effect: str, state: dict[str, str]) -> str:
    """The line of `harness ps` about an effect, once there is one."""
    while not running.done():
        for line in harness("ps", **state).stdout.splitlines():
            if effect in line:
                return line
        time.sleep(0.3)
    raise AssertionError(f"{effect} was never listed: {running.result()}")
