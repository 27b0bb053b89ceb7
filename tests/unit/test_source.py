"""Reading experiments and systems: what comes out of right files, and that nothing else does."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stub_faults import FAULTS, Latency

from harness.errors import InvalidFile, UsageError
from harness.experiment.model import Experiment
from harness.experiment.source import load_experiment, load_system
from harness.units import Duration

SYSTEM = """\
apiVersion: harness/v1
kind: System
metadata: {name: checkout}
spec:
  services:
    web:      {run: "caddy run --config Caddyfile", port: 8080, ready: /health, calls: [api]}
    api:      {run: "python -m shop --port $(port)", port: 8000, restart: {after: 1s}, replicas: 2,
               zones: [a, b], ready: /health, calls: [database, cache]}
    database: {run: "./postgres.sh", port: 5432, ready: tcp}
    cache:    {run: "valkey-server --port 6379", port: 6379, ready: tcp, restart: never,
               env: {A: 1, B: "$(port)"}}
"""

#: The example of the design.
EXPERIMENT = """\
# yaml-language-server: $schema=../schemas/experiment.v1.json
apiVersion: harness/v1
kind: Experiment
metadata: {name: checkout-survives-slow-database, owner: payments, labels: {tier: pr}}
spec:
  hypothesis: Shoppers can pay while the database answers 200 ms later.
  vars: {rate: 200/s}                              # --set rate=50/s
  system: system.yaml        # --system OTHER.yaml: the same experiment on a cluster
  load:
    users: shopper.py        # ordinary Locust users
    entry: web                                     # where they go
    arrivals: {tasks: $(rate)}                     # tasks or requests: it says which
    warmup: 5s                                     # sent and recorded, in no window
    timeout: 1s                                    # later is a failure
  timeline:
    - {id: slow-db, at: 8s, for: 15s, fault: network.latency, from: api, to: database,
       delay: 200ms, jitter: 20ms}
  objectives:
    - availability >= 99.9% baseline
    - availability >= 99.5% during slow-db
    - p99(pay) < 900ms during slow-db
    - recovery < 5s after slow-db
  guard: {abort: errors > 50% for 3s, blast_radius: {services: 1}}
"""


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "system.yaml").write_text(SYSTEM)
    (tmp_path / "shopper.py").write_text("")
    return tmp_path


def load(room: Path, text: str, *, system: Path | None = None, **variables: str) -> Experiment:
    path = room / "experiment.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return load_experiment(path, variables, system, FAULTS.get, lambda: FAULTS)


def problems(room: Path, text: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        load(room, text)
    return [f"{p.line}:{p.column} {p.code}" for p in caught.value.problems]


def test_the_example_of_the_design(room: Path) -> None:
    found = load(room, EXPERIMENT)
    assert found.metadata.name == "checkout-survives-slow-database"
    assert found.metadata.labels == (("tier", "pr"),)
    assert found.load is not None
    assert (found.load.entry, found.load.arrivals.counts) == ("web", "tasks")
    assert found.load.arrivals.rate.peak == 200.0
    assert (found.load.warmup, found.load.timeout) == (Duration(5), Duration(1))
    assert found.load.users == room / "shopper.py"
    (slow,) = found.timeline
    assert isinstance(slow.fault, Latency)
    assert slow.fault.delay.peak == pytest.approx(0.2)
    assert (slow.id, slow.at, slow.lasts) == ("slow-db", Duration(8), Duration(15))
    assert str(slow.where) == "api->database"
    assert slow.line == 16
    assert [o.limit for o in found.objectives] == [0.999, 0.995, 0.9, 5.0]
    assert [o.line for o in found.objectives] == [19, 20, 21, 22]
    assert found.guard.blast_radius == (("services", 1),)
    assert found.guard.aborts[0].lasts == Duration(3)
    assert found.variables == (("rate", "200/s"),)
    assert found.text == EXPERIMENT
    assert found.sources == (room / "experiment.yaml", room / "system.yaml")


def test_the_system_of_the_design(room: Path) -> None:
    system = load_system(room / "system.yaml")
    assert [s.name for s in system.services] == ["web", "api", "database", "cache"]
    api, cache = system.services[1], system.services[3]
    assert (api.port, api.replicas, api.zones, api.restart_after) == (8000, 2, ("a", "b"), 1.0)
    assert api.calls == ("database", "cache")
    assert cache.restart_after is None
    assert cache.env == (("A", "1"), ("B", "$(port)"))
    assert system.directory == room
    assert not system.attached


def test_set_changes_a_variable(room: Path) -> None:
    found = load(room, EXPERIMENT, rate="50/s")
    assert found.load is not None
    assert found.load.arrivals.rate.peak == 50.0
    assert found.variables == (("rate", "50/s"),)


def test_set_adds_none(room: Path) -> None:
    with pytest.raises(UsageError, match="no variable"):
        load(room, EXPERIMENT, rte="50/s")


def test_a_substituted_value_is_read_like_a_written_one(room: Path) -> None:
    text = EXPERIMENT.replace("{rate: 200/s}", "{rate: 200/s, n: 2}")
    found = load(room, text.replace("timeout: 1s", "workers: $(n)"))
    assert found.load is not None
    assert found.load.workers == 2
    with pytest.raises(InvalidFile, match="HF106"):
        load(room, EXPERIMENT, rate="1:30")


def test_the_environment_is_secret(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter2")
    headers = 'timeout: 1s\n    headers: {Authorization: "Bearer $(env:SHOP_TOKEN)"}'
    found = load(room, EXPERIMENT.replace("timeout: 1s", headers))
    assert found.load is not None
    assert found.load.headers == (("Authorization", "Bearer hunter2"),)
    assert found.secrets == (("SHOP_TOKEN", "hunter2"),)
    assert "hunter2" not in found.text + str(found.variables)


def test_another_system(room: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "other.yaml"
    other.write_text(SYSTEM.replace("8080", "8081"))
    found = load(room, EXPERIMENT.replace("system.yaml ", "gone.yaml "), system=other)
    assert found.system.services[0].port == 8081


def test_objectives_may_warn_or_be_none(room: Path) -> None:
    warn = "- {objective: recovery < 5s after slow-db, severity: warn}"
    found = load(room, EXPERIMENT.replace("- recovery < 5s after slow-db", warn))
    assert [o.severity for o in found.objectives] == ["fail", "fail", "fail", "warn"]
    begin, end = EXPERIMENT.index("  objectives:"), EXPERIMENT.index("  guard:")
    assert load(room, EXPERIMENT[:begin] + "  objectives: []\n" + EXPERIMENT[end:]).objectives == ()


def test_events_zones_curves_and_picks(room: Path) -> None:
    more = (
        "\n    - {id: kill, at: 1s, fault: process.kill, target: api, pick: one}"
        "\n    - {id: zone, at: 2s, for: 1s, fault: network.partition, target: zone/a}"
        "\n    - {id: ramp, at: 3s, for: 9s, fault: network.latency, target: api-1,"
        " delay: {ramp: 0ms..400ms, over: 5s}}"
        "\n    - {id: down, at: 3s, for: 9s, fault: dependency.down, target: database}"
        "\n    - {id: entry, at: 3s, for: 9s, fault: dependency.down, from: client, to: web}"
    )
    found = load(room, EXPERIMENT.replace("jitter: 20ms}", "jitter: 20ms}" + more))
    kill, zone, ramp, down, entry = found.timeline[1:]
    assert (kill.lasts, kill.where.pick) == (None, "one")
    assert zone.where.target == "zone/a"
    assert ramp.fault.delay.points == ((0.0, 0.0), (5.0, 0.4))
    assert (str(down.where), str(entry.where)) == ("database", "client->web")


def test_attached_systems(room: Path) -> None:
    (room / "system.yaml").write_text(
        "apiVersion: harness/v1\nkind: System\nmetadata: {name: here}\nspec:\n  services:\n"
        '    api: {attach: {port: 8080}, url: "http://127.0.0.1:8080", calls: [redis]}\n'
        '    redis: {upstream: "127.0.0.1:6379", proxy: "127.0.0.1:26379",\n'
        '            toxiproxy: "http://127.0.0.1:8474", probe: "PING\\r\\n"}\n'
    )
    system = load_system(room / "system.yaml")
    api, redis = system.services
    assert (api.attach_port, api.url, system.attached) == (8080, "http://127.0.0.1:8080", True)
    assert (redis.upstream, redis.proxy) == ("127.0.0.1:6379", "127.0.0.1:26379")
    assert (redis.toxiproxy, redis.probe) == ("http://127.0.0.1:8474", "PING\r\n")
    text = (room / "system.yaml").read_text().replace('"127.0.0.1:26379",', '"127.0.0.1:26379"}')
    (room / "system.yaml").write_text(text[: text.index("            toxiproxy")])
    (redis,) = load_system(room / "system.yaml").services[1:]
    assert (redis.proxy, redis.toxiproxy) == ("127.0.0.1:26379", "")


def test_all_problems_at_once_and_in_order(room: Path) -> None:
    text = EXPERIMENT.replace("at: 8s", "at: 8").replace("entry: web", "entry: wob")
    assert problems(room, text.replace("900ms", "900")) == [
        "11:12 HF302",
        "16:25 HF204",
        "21:18 HF501",
    ]


def test_a_caret_inside_quotes(room: Path) -> None:
    text = EXPERIMENT.replace(
        "- availability >= 99.9% baseline", '- "availability >= 99.9 baseline"'
    )
    assert problems(room, text) == ["19:24 HF501"]


def test_a_folded_text_is_pointed_at_as_a_whole(room: Path) -> None:
    text = EXPERIMENT.replace(
        "- availability >= 99.9% baseline", "- >\n      p99 < 9\n      baseline"
    )
    assert problems(room, text) == ["19:7 HF501"]


def test_a_missing_file_is_a_usage_error(room: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_experiment(room / "none.yaml", {}, None, FAULTS.get, lambda: FAULTS)
    with pytest.raises(UsageError, match="is a directory"):
        load_experiment(room, {}, None, FAULTS.get, lambda: FAULTS)


def test_too_large(room: Path) -> None:
    assert problems(room, "#" * 300_000) == ["1:1 HF103"]


FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read_or_invalid(room: Path, text: str) -> None:
    """Anything but these two is a failure of the test."""
    with contextlib.suppress(InvalidFile):
        assert isinstance(load(room, text), Experiment)


@FUZZ
@given(text=st.text(max_size=200))
def test_any_text_is_an_experiment_or_invalid(room: Path, text: str) -> None:
    read_or_invalid(room, text)


SPICES = (
    "on", "1:30", "[", "]", "{", "}", ": ", "\n", "  ", "null", "~", "&a ", "*a", "!!int ",
    "$(rate)", "$(", "---\n", "'", '"', "|\n", "? ", "<<: ", "-", "0777", "1e999", "9" * 400,
    "\t", "\r", "é", "true", "#", "%", "network.latency", "{ramp: 1s..2s}", "[1, two]", "{}",
    "[]", "-1s",
)  # fmt: skip


@FUZZ
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, len(EXPERIMENT)), st.integers(0, 12), st.sampled_from(SPICES)),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_experiment_is_still_one_or_invalid(
    room: Path, cuts: list[tuple[int, int, str]]
) -> None:
    text = EXPERIMENT
    for begin, length, spice in cuts:
        text = text[:begin] + spice + text[begin + length :]
    read_or_invalid(room, text)


@FUZZ
@given(
    cut=st.tuples(st.integers(0, len(SYSTEM)), st.integers(0, 12), st.sampled_from(SPICES)),
)
def test_a_damaged_system_is_still_one_or_invalid(room: Path, cut: tuple[int, int, str]) -> None:
    begin, length, spice = cut
    (room / "system.yaml").write_text(SYSTEM[:begin] + spice + SYSTEM[begin + length :])
    read_or_invalid(room, EXPERIMENT)
