"""Who is where in a local world, decided from the System file alone."""

from pathlib import Path

import pytest

from harness.agent.effects import Edge, Link, Processes, Unit
from harness.capabilities import Edges, Links, Signals, Units
from harness.errors import Refused
from harness.experiment.system_model import Metadata, Service, System
from harness.substrates.local import layout
from harness.substrates.local.spec import Host, WorldSpec, spec_from_json
from harness.substrates.local.substrate import LocalSubstrate
from harness.substrates.local.world import waves
from harness.units import Duration


def system(*services: Service) -> System:
    return System(Metadata("shop"), services, Path("/srv/shop/system.yaml"), Path("/srv/shop"))


SHOP = system(
    Service("api", run="python -m shop --port $(port) '$(database.host)'", port=8000, replicas=3,
            zones=("a", "b"), ready="/health", calls=("database",), restart_after=Duration(1),
            env=(("DB", "$(database.host):$(database.port)"), ("ZONE", "$(zone)"))),
    Service("database", run="./db.sh $(data)", port=5432, ready="tcp"),
)  # fmt: skip
TOPOLOGY = layout.topology_of(SHOP)


def test_hosts_are_numbered_in_the_order_of_the_file():
    found = [(replica.name, replica.address) for replica in TOPOLOGY.replicas]
    assert found == [
        ("api-0", "198.18.0.2"), ("api-1", "198.18.0.3"), ("api-2", "198.18.0.4"),
        ("database", "198.18.0.5"),
    ]  # fmt: skip
    assert TOPOLOGY.client.address == "198.18.0.1"


def test_zones_go_round_robin():
    assert [replica.zone for replica in TOPOLOGY.replicas] == ["a", "b", "a", ""]


def test_names_of_a_service_are_all_of_its_replicas():
    lines = layout.names_of(TOPOLOGY).splitlines()
    assert lines[2:] == [
        "198.18.0.2 api-0 api", "198.18.0.3 api-1 api", "198.18.0.4 api-2 api",
        "198.18.0.5 database",
    ]  # fmt: skip


def test_commands_are_filled_in_and_split_as_a_shell_would():
    first = layout.commands_of(SHOP, TOPOLOGY, Path("/logs"))[0]
    assert first.argv == ("python", "-m", "shop", "--port", "8000", "database")
    assert dict(first.env)["DB"] == "database:5432"
    assert dict(first.env)["ZONE"] == "a"
    assert (first.cwd, first.log, first.restart_after) == ("/srv/shop", "/logs/api-0.log", 1.0)


def test_data_is_private_to_a_replica():
    last = layout.commands_of(SHOP, TOPOLOGY, Path("/logs"))[-1]
    assert last.argv == ("./db.sh", "/run/harness/data/database")


def test_an_unknown_reference_is_refused():
    wrong = system(Service("api", run="run $(databse.host)", port=1))
    with pytest.raises(Refused, match=r"\$\(databse.host\)"):
        layout.commands_of(wrong, layout.topology_of(wrong), Path("/logs"))


def test_callers_start_after_those_they_call():
    assert [set(wave) for wave in waves(SHOP.services)] == [{"database"}, {"api"}]


def test_services_that_call_each_other_start_together_at_last():
    ring = (Service("a", calls=("b",)), Service("b", calls=("a",)), Service("c"))
    assert [set(wave) for wave in waves(ring)] == [{"c"}, {"a", "b"}]


def test_resources_name_what_the_agent_needs():
    substrate = LocalSubstrate()
    api, database = TOPOLOGY.named("api-1"), TOPOLOGY.named("database")
    assert substrate.resources(Links, api, ()) == (
        Link("api-1", "/run/netns/api-1", "v-3", "198.18.0.3", "02:00:c6:12:00:03"),
    )
    assert substrate.resources(Signals, api, ()) == (
        Processes("api-1", netns="/run/netns/api-1", ports=(8000,)),
    )
    assert substrate.resources(Units, api, ()) == (Unit("api-1"),)
    assert substrate.resources(Edges, api, database) == (
        Edge("api-1->database", "/run/netns/api-1", ("198.18.0.5",), 5432),
    )


def test_an_edge_to_a_service_has_all_of_its_replicas():
    (edge,) = LocalSubstrate().resources(Edges, (TOPOLOGY.client,), TOPOLOGY.named("api"))
    assert edge.target == "client->api"
    assert len(edge.upstreams) == 3


def test_the_client_can_be_neither_stopped_nor_restarted():
    client = (TOPOLOGY.client,)
    assert LocalSubstrate().resources(Signals, client, ()) == ()
    assert LocalSubstrate().resources(Units, client, ()) == ()
    assert LocalSubstrate().resources(str, client, ()) == ()


def test_many_hosts_have_addresses_of_their_own():
    hosts = [Host(f"h{n}", n) for n in range(1, 700)]
    for seen in ({h.address for h in hosts}, {h.mac for h in hosts}, {h.cable for h in hosts}):
        assert len(seen) == len(hosts)
    assert Host("x", 258).address == "198.18.1.2"


def test_a_spec_survives_its_journey():
    commands = layout.commands_of(SHOP, TOPOLOGY, Path("/logs"))
    spec = WorldSpec("w", layout.hosts_of(SHOP), commands, "127.0.0.1 localhost\n", ("/tmp/x",))
    assert spec_from_json(spec.to_json()) == spec


def test_a_system_that_is_not_started_by_us_is_refused():
    attached = system(Service("api", attach_pid=1))
    assert "run" in LocalSubstrate().refuse(attached)
