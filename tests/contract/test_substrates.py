"""What every substrate that needs no cluster does: the right targets, by a mechanism that is there,
and one holder for each."""

import os
from pathlib import Path

import pytest

from harness.agent.effects import Unit
from harness.agent.ladder import LADDER
from harness.capabilities import Edges, Links, Signals, Units
from harness.errors import Refused
from harness.experiment.system_model import Metadata, Service, System
from harness.run import state
from harness.substrates import registry
from harness.substrates.attached import AttachedSubstrate
from harness.substrates.local.substrate import LocalSubstrate
from harness.substrates.loopback.substrate import LoopbackSubstrate

STARTED = (
    Service("web", run="w $(port)", port=80, calls=("api",)),
    Service("api", run="a $(port)", port=81, replicas=3, zones=("a", "b"), calls=("database",)),
    Service("database", run="d $(port)", port=82),
)
ATTACHED = (Service("here", attach_pid=os.getpid()),)
SUBSTRATES = {
    "attached": (AttachedSubstrate(), ATTACHED, {Signals}),
    "local": (LocalSubstrate(), STARTED, {Links, Signals, Edges, Units}),
    "loopback": (LoopbackSubstrate("a test"), STARTED, {Signals, Edges, Units}),
}


def system(services):
    return System(Metadata("s"), services, Path("/srv/system.yaml"), Path("/srv"))


@pytest.fixture(params=SUBSTRATES)
def place(request):
    substrate, services, offers = SUBSTRATES[request.param]
    return substrate, substrate.topology(system(services)), offers


def offered(substrate, topology, capability, origins):
    to = topology.named("database") if capability is Edges else ()
    return substrate.resources(capability, origins, to)


def test_all_that_are_registered_are_here_but_the_cluster():
    assert {*SUBSTRATES, "kubernetes"} == set(registry.NAMES)


def test_what_is_named_is_what_is_selected(place):
    substrate, topology, offers = place
    for reference in topology.references:
        named = topology.named(reference)
        assert named
        for capability in offers - {Edges}:
            found = substrate.resources(capability, named, ())
            assert [resource.target for resource in found] == [r.name for r in named]
            assert all(isinstance(resource, capability.resource) for resource in found)


@pytest.mark.parametrize("name", ["local", "loopback"])
def test_an_edge_is_one_of_its_caller(name):
    substrate, services, _ = SUBSTRATES[name]
    topology = substrate.topology(system(services))
    callers = topology.named("api")
    found = substrate.resources(Edges, callers, topology.named("database"))
    assert [edge.target for edge in found] == [f"{caller.name}->database" for caller in callers]
    assert len(set(found)) == len(callers)


def test_what_is_not_offered_is_empty(place):
    substrate, topology, offers = place
    for capability in {Links, Signals, Edges, Units} - offers:
        assert offered(substrate, topology, capability, topology.replicas) == ()


def test_what_is_offered_has_its_mechanism(place):
    substrate, topology, offers = place
    for capability in offers:
        for resource in offered(substrate, topology, capability, topology.replicas):
            assert substrate.mechanism(resource)
            assert isinstance(resource, Unit) or LADDER[type(resource)]


def test_the_host_of_the_load_is_no_target_but_for_its_network(place):
    substrate, topology, _ = place
    for capability in (Signals, Units):
        assert substrate.resources(capability, (topology.client,), ()) == ()


def take(keys):
    with state.leased(keys, "second", "it", 60.0):
        pass


def test_one_holder(place, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    substrate, topology, offers = place
    for capability in sorted(offers, key=str):
        found = offered(substrate, topology, capability, topology.replicas)
        keys = tuple(state.key(resource, "one world") for resource in found)
        with state.leased(keys, "first", "it", 60.0), pytest.raises(Refused, match="run first"):
            take(keys[:1])
        take(keys)


def test_a_part_of_a_service_has_no_edge_of_its_own_on_loopback():
    substrate, services, _ = SUBSTRATES["loopback"]
    topology = substrate.topology(system(services))
    web = topology.named("web")
    assert len(substrate.resources(Edges, web, topology.named("api"))) == 1
    assert substrate.resources(Edges, web, topology.named("api-0")) == ()
