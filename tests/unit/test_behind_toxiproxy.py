"""What of a system is behind a Toxiproxy, and what cannot be done there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.agent.effects import Curve, ProxiedEdge, Snapshot, Toxic, ToxiproxyEdge, decode, encode
from harness.capabilities import Edges
from harness.errors import Refused
from harness.experiment.source import load_experiment, load_system
from harness.faults import registry
from harness.run import state
from harness.run.plan import make_plan
from harness.substrates.attached import AttachedSubstrate
from harness.substrates.attached.toxiproxy_hold import slug

SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: here}
spec:
  services:
    api: {url: "http://127.0.0.1:8080", calls: [redis]}
    worker: {url: "http://127.0.0.1:8081", calls: [redis]}
    redis:
      upstream: "127.0.0.1:6379"
      proxy: "127.0.0.1:26379"
      toxiproxy: "http://127.0.0.1:8474"
      probe: "PING\\r\\n"
"""
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {name: x}
spec:
  hypothesis: It holds.
  system: system.yaml
  load: {entry: api, requests: [{get: /}], arrivals: {tasks: 5/s}, timeout: 1s}
  timeline: [{id: f, at: 5s, for: 5s, fault: dependency.latency, target: redis, delay: DELAY}]
  objectives: []
"""
REDIS = ToxiproxyEdge(
    "api+worker->redis", "http://127.0.0.1:8474", "127.0.0.1:26379", "127.0.0.1:6379", "PING\r\n",
    ("api", "worker"),
)  # fmt: skip


class Offline(AttachedSubstrate):
    """Nothing of it is looked at."""

    def refuse(self, system):
        return ""


def plan(tmp_path: Path, delay: str, guard: str = ""):
    (tmp_path / "system.yaml").write_text(SYSTEM)
    path = tmp_path / "x.yaml"
    path.write_text(EXPERIMENT.replace("DELAY", delay) + guard)
    experiment = load_experiment(path, {}, None, registry.find, registry.names)
    return make_plan(experiment, Offline(), 1, "run")


def test_a_fault_acts_on_the_one_proxy_of_all_callers(tmp_path):
    made = plan(tmp_path, "200ms")
    assert [e.id for e in made.effects] == ["intercept/api+worker->redis", "f/api+worker->redis"]
    assert {e.resource for e in made.effects} == {REDIS}
    assert {e.mechanism for e in made.effects} == {"toxiproxy"}
    assert decode(encode(REDIS)) == REDIS


def test_all_callers_count_for_the_blast_radius(tmp_path):
    with pytest.raises(Refused, match=r"2 services \(api, worker\)"):
        plan(tmp_path, "200ms", "  guard: {blast_radius: {services: 1}}\n")


def test_what_varies_little_by_little_is_refused(tmp_path):
    with pytest.raises(Refused, match="cannot vary latency little by little"):
        plan(tmp_path, "{ramp: 0ms..200ms, over: 5s}")
    assert plan(tmp_path, "{step: [100ms, 200ms], every: 2s}")


def test_a_flapping_dependency_changes_in_steps():
    rhythm = Curve(((0.0, 1.0), (1.0, 0.0)), smooth=False, every=2.0)
    toxic = Toxic("down", numbers=(("down", rhythm),))
    assert AttachedSubstrate().cannot(REDIS, toxic) == ""


def test_two_runs_on_one_proxy_are_one_too_many():
    other = dataclasses.replace(REDIS, target="other->redis", probe="", callers=("other",))
    assert state.key(REDIS, "run-1") == state.key(other, "run-2")


def test_only_edges_to_it_are_offered():
    assert AttachedSubstrate().resources(Edges, (), ()) == ()


def test_without_a_server_of_its_own_a_proxy_is_ours(tmp_path):
    ours = SYSTEM.replace('      toxiproxy: "http://127.0.0.1:8474"\n', "")
    (tmp_path / "system.yaml").write_text(ours.replace('      probe: "PING\\r\\n"\n', ""))
    system = load_system(tmp_path / "system.yaml")
    attached = AttachedSubstrate()
    replicas = attached.topology(system).replicas
    (edge,) = attached.resources(Edges, (), replicas)
    assert edge == ProxiedEdge("api+worker->redis", "edges/redis")
    assert attached.mechanism(edge) == "proxy"
    smooth = Toxic("latency", numbers=(("latency", Curve(((0.0, 0.0), (5.0, 9.0)))),))
    assert attached.cannot(edge, smooth) == ""


def test_a_mark_travels_and_is_no_setting():
    marked = Snapshot("toxiproxy", {"proxy": "redis"}, "harness-1")
    assert decode(encode(marked)) == marked
    assert slug("slow/api->redis#1 ü") == "slow-api-redis-1-"


def test_the_run_s_seed_goes_with_what_draws(tmp_path: Path) -> None:
    seeded = [e.does.seed for e in plan(tmp_path, "50ms").effects if isinstance(e.does, Toxic)]
    assert seeded == [1]
