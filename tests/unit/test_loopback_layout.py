"""Who is told which port on loopback, decided from the System file and the ports that there are."""

import sys
from pathlib import Path

from harness.experiment.system_model import Metadata, Service, System
from harness.substrates.loopback import layout
from harness.substrates.loopback.spec import Caller, Door, LoopbackSpec, Passage, spec_from_json
from harness.substrates.loopback.substrate import LoopbackSubstrate

SHOP = System(
    Metadata("shop"),
    (
        Service("web", run="web $(port) $(api.port) $(api-1.port)", port=80, calls=("api",)),
        Service("api", run="api $(host) $(port) $(database.host) $(database.port) $(data)",
                port=81, replicas=2, calls=("database",), env=(("WEB", "$(web.port)"),)),
        Service("database", run="db $(port)", port=82),
    ),
    Path("/srv/system.yaml"), Path("/srv"),
)  # fmt: skip
PLANNED = layout.planned(SHOP)
PORTS = list(range(100, 100 + layout.wanted(PLANNED)))
PLACED = layout.placed(PLANNED, PORTS)
DOORS = layout.doors_of(PLACED, PORTS)


def test_the_plan_knows_the_ports_of_the_file():
    assert [(r.name, r.address, r.port) for r in PLANNED.replicas] == [
        ("web", "127.0.0.1", 80), ("api-0", "127.0.0.1", 81), ("api-1", "127.0.0.1", 81),
        ("database", "127.0.0.1", 82),
    ]  # fmt: skip


def test_every_replica_has_a_port_and_every_call_a_door():
    assert [r.port for r in PLACED.replicas] == [100, 101, 102, 103]
    assert sorted(DOORS.values()) == PORTS[4:]
    assert set(DOORS) == {
        ("client", "web"), ("client", "api"), ("client", "api-0"), ("client", "api-1"),
        ("client", "database"), ("web", "api"), ("web", "api-0"), ("web", "api-1"),
        ("api-0", "database"), ("api-1", "database"),
    }  # fmt: skip


def test_callers_are_told_doors_and_undeclared_ones_the_port_itself():
    commands = layout.commands_of(SHOP, PLACED, DOORS, Path("/logs"), Path("/place"), "world")
    web, first, second, _ = commands
    assert web.argv == ("web", "100", str(DOORS["web", "api"]), str(DOORS["web", "api-1"]))
    assert first.argv == (
        "api", "127.0.0.1", "101", "127.0.0.1", str(DOORS["api-0", "database"]),
        "/place/data/api-0",
    )  # fmt: skip
    assert second.argv[4] == str(DOORS["api-1", "database"]) != first.argv[4]
    env = dict(first.env)
    assert env["WEB"] == "100", "it does not declare that it calls the web"
    assert (env["HARNESS_WORLD"], env["TMPDIR"]) == ("world", "/place/tmp")


def test_a_door_to_a_service_leads_to_all_of_its_replicas():
    callers = {caller.name: caller for caller in layout.callers_of(PLACED, DOORS)}
    assert list(callers) == ["client", "web", "api-0", "api-1"]
    (passage,) = callers["web"].passages
    assert passage.control == "edges/web.api"
    assert [door.goals for door in passage.doors] == [(101, 102), (101,), (102,)]
    assert [p.control for p in callers["client"].passages] == [
        "edges/client.web", "edges/client.api", "edges/client.database",
    ]  # fmt: skip


def test_the_spec_survives_its_way_to_the_supervisor():
    commands = layout.commands_of(SHOP, PLACED, DOORS, Path("/logs"), Path("/place"), "world")
    callers = (Caller("web", (Passage("edges/web.api", (Door(7, (1, 2)),)),)),)
    spec = LoopbackSpec("w", "/place", commands, {"web": 1}, callers, 5)
    assert spec_from_json(spec.to_json()) == spec


def test_a_machine_without_linux_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    why = LoopbackSubstrate("").refuse(SHOP)
    assert "this is darwin: use a Linux virtual machine" in why
    assert "cluster" in why
