"""A whole run with every dependency fault in the shop of the demo, behind a real Toxiproxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checkout_here import SHOP, shop_here
from commands import harness, run
from real_toxiproxy import toxiproxy

from harness.faults import registry
from harness.substrates.attached.toxiproxy_api import Server

#: Faults on the database and on the cache at one time, pair by pair.
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
    - {{id: full, at: 3s, for: 4s, fault: dependency.bandwidth, from: api, to: database, rate: 80kbit}}
    - {{id: closing, at: 10s, for: 4s, fault: dependency.slow_close, from: api, to: database, delay: 600ms}}
    - {{id: pieces, at: 10s, for: 4s, fault: dependency.slicer, from: api, to: cache, size: 64B, pause: 10ms}}
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


def taken_part(report: dict[str, Any], mechanism: str) -> None:
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
        _, report = run(experiment, tmp_path / "reports", "--retry-invalid", "2", **state)
        taken_part(report, "toxiproxy")
        assert [vars(proxy) for proxy in Server(url).proxies()] == before
        assert all(Server(url).toxics(name) == () for name in ("database", "cache"))
        assert "nothing" in harness("recover", "--all", **state).stdout
