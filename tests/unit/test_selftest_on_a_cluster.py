"""What a selftest on a cluster makes of what it is told: switches, and what a look shows."""

import pytest

from harness.experiment.system_model import Cluster
from harness.selftest.cluster.objects import Slot
from harness.selftest.cluster.seen import Seen, differences
from harness.selftest.cluster.sight import Sight
from harness.selftest.cluster.switches import switches_of

CARD = "2: eth0@if9: <BROADCAST,UP> mtu 1500 qdisc noqueue state UP link/ether 02:00:c6:12:00:0b"
SERVER, AGENT = "uid-of-server", {"pid": 7, "start": 1, "parent": 1, "words": "x --in-pod"}


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ("python3 -m devcluster --name x poweroff {node}", "python3 -m devcluster --name x"),
        ("docker stop {node}", None),
        ("", None),
    ],
)
def test_a_cluster_of_our_own_is_told_by_its_switch(cut, words):
    found = switches_of(Cluster("n", power_off=cut, power_at="/here"))
    assert (" ".join(found.words) if found else None) == words
    if found:
        assert found.inside("n1", "ls")[-3:] == ("exec", "n1", "ls")


class Looks:
    """A looker that says what it is to say."""

    root = None

    def __init__(self, **seen):
        self.seen = {"network": {SERVER: [CARD]}, "stopped": {}, "ours": [], "cgroups": [], **seen}

    def look(self, pods, cgroups, *, anew=False):
        return self.seen


class Settings:
    """An API server that always has the same."""

    def items(self, path, **query):
        if query.get("labelSelector") == "app in (asker,server)":
            yield {"metadata": {"uid": SERVER, "name": "server-1", "labels": {"app": "server"}}}

    def get(self, path, **query):
        return {"metadata": {"name": "n1"}, "spec": {}}


def sight(looks):
    found = Sight(Seen(Settings(), Slot("mine", "n1", "n1"), "agents"), looks)
    found.begin()
    return found


def test_a_newcomer_looks_as_the_pod_before_it():
    here = sight(Looks())
    there = CARD.replace("2: eth0@if9", "5: eth0@if12").replace("0b", "0f")
    here.eyes = Looks(network={SERVER: [there]})
    assert here.traces(anew=True) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"network": {SERVER: [CARD, "table ip x"]}}, "server: new: table ip x"),
        ({"stopped": {SERVER: ["python3"]}}, "server: python3 is stopped"),
    ],
)
def test_what_an_effect_shows(seen, said):
    here = sight(Looks())
    here.eyes = Looks(**seen)
    assert here.traces(anew=True) == [said]


def test_agents_of_others_are_not_ours():
    here = sight(Looks(ours=[{**AGENT, "pid": 1}]))
    own = {**AGENT, "words": "x --in-pod --halted-by mine"}
    other = {**AGENT, "pid": 8, "words": "x --in-pod --halted-by theirs"}
    child = {**AGENT, "pid": 9, "parent": 8, "words": "harness.mechanisms.nursery"}
    here.eyes = Looks(ours=[{**AGENT, "pid": 1}, own, other, child])
    assert here.agents() == ([own], [])
    assert [line for line in here.left() if line.startswith("process")] == [
        "process 7 x --in-pod --halted-by mine"
    ]


def test_a_setting_that_is_another_is_told_where_it_differs():
    assert list(differences({"a": "replicas: 1"}, {"a": "replicas: 0"})) == [
        "a is not as before: replicas: 0, was replicas: 1"
    ]
    assert not list(differences({"a": "1"}, {"a": "1"}))
