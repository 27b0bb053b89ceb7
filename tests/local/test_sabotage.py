"""Every registered fault against mechanisms that do something else than they are told.

A run of each sabotage holds several faults, one after the other, and is INVALID with a reason for
each that was sabotaged, which names what was seen; without sabotage the same run passes. A new
fault fails here until it stands in `FAULTS`: how it is tried, and which sabotage cannot happen.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from worlds import PYTHON, WHY_NOT, faults_of_a_world

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no local world: {WHY_NOT}")

HERE = Path(__file__).parent / "sabotage"
AT_ONCE = 4  # runs; they mostly wait
EVERY_S, LASTS_S = 6, 3

SABOTAGES = (
    "nothing", "half", "one way", "one of two targets", "one of two peers",
    "new connections only", "somewhere else", "wrong peer", "goes round",
)  # fmt: skip

ONE_WAY = "it is seen by round trips of a connection, which go both ways"
NO_PEERS = "it acts on processes, and those have no peers"
PACKETS = "it acts on packets, whatever connection they are of"
DOWN = "a port listens or does not; there is no half of it"
ONCE = "its keeper ends and starts all of a replica, in one step"
ALL = "everybody is its peer"
OTHER_EDGE = "its peers are the edge: see `somewhere else`"


@dataclass(frozen=True)
class Case:
    """How a fault is tried, and why a sabotage cannot happen to it, by its name."""

    fields: str
    cannot: dict[str, str] = field(default_factory=dict)

    @property
    def sabotages(self) -> tuple[str, ...]:
        return tuple(name for name in SABOTAGES if name not in self.cannot)


def network(fields: str) -> Case:
    where = f"from: front, to: back, direction: both, for: {LASTS_S}s, {fields}"
    return Case(where, {"new connections only": PACKETS})


def dependency(fields: str, **cannot: str) -> Case:
    no = {"one way": ONE_WAY, "wrong peer": OTHER_EDGE, **cannot}
    return Case(f"from: front, to: back, for: {LASTS_S}s{fields}", no)


def processes(fields: str, **cannot: str) -> Case:
    names = ("one way", "one of two peers", "new connections only", "wrong peer")
    return Case(fields, {**dict.fromkeys(names, NO_PEERS), **cannot})


FAULTS: dict[str, Case] = {
    "network.latency": network("delay: 100ms"),
    "network.loss": network("loss: 40%"),
    "network.bandwidth": network("rate: 4mbit"),
    "network.partition": network("mode: reject"),
    "network.duplicate": network("duplicate: 40%"),
    "network.reorder": network("reorder: 40%, hold: 30ms"),
    "network.corrupt": network("corrupt: 40%"),
    "zone.down": Case(
        f"target: zone/z, for: {LASTS_S}s",
        {"new connections only": PACKETS, "one of two peers": ALL, "wrong peer": ALL},
    ),
    "process.kill": processes("target: back"),
    "process.pause": processes(f"target: front, for: {LASTS_S}s"),
    "service.restart": processes("target: back, grace: 1s", half=ONCE),
    "dependency.latency": dependency(", delay: 100ms"),
    "dependency.down": dependency("", half=DOWN),
    "dependency.reset": dependency(""),
    "dependency.timeout": dependency(""),
    "dependency.bandwidth": dependency(", rate: 800kbit"),
    "dependency.slow_close": dependency(", delay: 300ms"),
    "dependency.slicer": dependency(", size: 64B, pause: 5ms"),
    "dependency.limit_data": dependency(", limit: 100B"),
    "dependency.flapping": dependency(", down: 500ms, up: 500ms"),
}

#: Faults of one run, one after the other.
GROUPS = {
    "packets": [name for name in FAULTS if name.startswith(("network.", "zone."))],
    "transfers": [
        f"dependency.{name}" for name in ("bandwidth", "slow_close", "slicer", "limit_data")
    ],
}
GROUPS["others"] = [name for name in FAULTS if name not in {f for g in GROUPS.values() for f in g}]


def group_of(fault: str) -> str:
    return next(name for name, faults in GROUPS.items() if fault in faults)


# ---------------------------------------------------------------- what is run


def system(sabotage: str) -> str:
    """`door` calls both of `front`, each of which calls both of `back` by pooled connections."""
    run = f"{PYTHON} {HERE / 'server.py'} $(port)"
    ask = {name: f"{name}-0:8000 {name}-1:8000" for name in ("front", "back")}
    if sabotage == "goes round":
        ask = dict.fromkeys(ask, "aside-0:8000 aside-1:8000")
    more = "port: 8000, ready: tcp, restart: {after: 0.3s}"
    return f"""
apiVersion: harness/v1
kind: System
metadata: {{name: sabotaged}}
spec:
  services:
    back: {{run: "{run}", replicas: 2, zones: [z], {more}}}
    aside: {{run: "{run}", replicas: 2, {more}}}
    front: {{run: "{run} {ask["back"]}", replicas: 2, calls: [back], {more}}}
    door: {{run: "{run} {ask["front"]}", calls: [front], {more}}}
"""


def id_of(fault: str) -> str:
    return re.sub(r"[._]", "-", fault)


def timeline(faults: list[str]) -> list[str]:
    return [
        f"id: {id_of(name)}, at: {2 + EVERY_S * n}s, fault: {name}, {FAULTS[name].fields}"
        for n, name in enumerate(faults)
    ]


def experiment(interventions: list[str]) -> str:
    lines = [f"    - {{{line}}}\n" for line in interventions]
    return f"""
apiVersion: harness/v1
kind: Experiment
metadata: {{name: sabotage}}
spec:
  hypothesis: A mechanism that does not do what it is told is found out.
  system: system.yaml
  load:
    {{users: {HERE / "users.py"}, entry: door, arrivals: {{tasks: 40/s}}, warmup: 1s, timeout: 2s}}
  settle: 2s
  timeline:
{"".join(lines)}
  objectives: [availability >= 50% baseline]
"""


def carried_out(sabotage: str, group: str, directory: Path) -> dict[str, Any]:
    faults = [f for f in GROUPS[group] if sabotage == "honest" or sabotage in FAULTS[f].sabotages]
    return run(sabotage, timeline(faults), directory)


def run(sabotage: str, interventions: list[str], directory: Path) -> dict[str, Any]:
    """What a run comes to, in a process of its own: a world needs its main thread."""
    directory.mkdir(parents=True)
    (directory / "system.yaml").write_text(system(sabotage))
    (directory / "experiment.yaml").write_text(experiment(interventions))
    argv = [sys.executable, "saboteur.py", str(directory / "experiment.yaml"), sabotage]
    environment = {**os.environ, "XDG_STATE_HOME": str(directory / "state")}
    ran = subprocess.run(
        [*argv, str(directory / "reports")], cwd=HERE, env=environment, capture_output=True,
        text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory) -> Iterator[dict[tuple[str, str], Future[dict[str, Any]]]]:
    """The runs that the chosen tests need, several at a time."""
    chosen = [getattr(item, "callspec", None) for item in request.session.items
              if item.path == request.path]  # fmt: skip
    asked = [(c.params["sabotage"], group_of(c.params["fault"])) for c in chosen if c]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {
            key: pool.submit(carried_out, *key, tmp_path_factory.mktemp("run") / "run")
            for key in dict.fromkeys(asked)
        }
        yield started
        for future in started.values():
            future.cancel()


# ---------------------------------------------------------------- the tests


def test_every_fault_is_in_the_table():
    assert set(FAULTS) == faults_of_a_world(), (
        "say in FAULTS how it is tried, and what cannot happen to it"
    )
    assert all(set(case.cannot) <= set(SABOTAGES) for case in FAULTS.values())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("sabotage", ["honest"])
def test_an_honest_run_passes(fault, sabotage, runs):
    run = runs[sabotage, group_of(fault)].result()
    assert (run["verdict"], run["reasons"]) == ("pass", []), run["directory"]


@pytest.mark.parametrize(
    ("sabotage", "fault"),
    [(s, fault) for s in SABOTAGES for fault in FAULTS if s in FAULTS[fault].sabotages],
)
def test_a_sabotaged_run_is_invalid_and_says_what_was_seen(sabotage, fault, runs):
    run = runs[sabotage, group_of(fault)].result()
    assert run["verdict"] == "invalid", run
    mine = [id for id, of in run["effects"].items() if of == id_of(fault)]
    hit = [id for id in mine if id in run["hit"]]
    assert hit, "nothing was sabotaged"
    for id in mine:
        reasons = [reason for reason in run["reasons"] if reason.startswith(f"{id} was not ")]
        assert bool(reasons) == (id in hit), (id, run["reasons"], run["directory"])
        found = [re.search(says_what_was_seen(sabotage), why) for why in reasons]
        assert any(found) or not reasons, reasons


def says_what_was_seen(sabotage: str) -> str:
    if sabotage == "goes round":
        return r"not exercised: none of the system's own (packets|connections) met it"
    return r"not confirmed: .* asked .*, seen .*|not exercised: none of the system's own"
