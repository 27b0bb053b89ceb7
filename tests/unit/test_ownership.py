"""Of each setting that a mechanism keeps: when is a change of it ours, and when somebody else's?"""

import pytest

from harness.agent.effects import Snapshot
from harness.mechanisms.ownership import changes

OURS = [
    ("tapnetem", "taps", "", "hx7f hx7b"),
    ("nfqueue", "tables", "harness_1", "harness_1 harness_2"),
    ("proxy", "redirect", "none", "present"),
    ("standing_proxy", "toxics", "none", "latency_1"),
    ("toxiproxy", "toxics of harness", "harness-a", "harness-a, harness-b"),
    ("toxiproxy", "enabled", "true", "false"),
    ("signals", "stopped", "", "7:100"),
    ("netem", "root", "fq_codel 0:", "prio 4858:"),
    ("netem", "ingress", "", "ingress 4858:"),
    ("netem", "through", "", "hx-through"),
    ("wire", "state", "3", "0"),
    ("wire", "master", "br0", ""),
    ("wire", "stub", "", "stub-1"),
    ("platform", "replicas", "3", "0"),  # nobody said whose it is
]
OTHERS = [
    ("tapnetem", "taps", "hx7f hx7b", ""),
    ("tapnetem", "card", "eth0", "eth1"),
    ("nfqueue", "tables", "harness_1", "none"),
    ("proxy", "redirect", "present", "none"),
    ("standing_proxy", "toxics", "latency_1", "none"),
    ("toxiproxy", "toxics of harness", "harness-a, harness-b", "harness-b"),
    ("toxiproxy", "toxics of others", "none", "slow"),
    ("signals", "stopped", "7:100 8:200", "8:200"),
    ("netem", "root", "fq_codel 0:", "tbf 8001:"),
    ("netem", "ingress", "", "ingress ffff:"),
    ("netem", "netns", "4026531840", "4026532000"),
    ("platform", "power", "on", "off"),
]


@pytest.mark.parametrize(("mechanism", "key", "was", "now"), OURS)
def test_ours_is_dirty(mechanism, key, was, now):
    ours, others = changes(*snapshots(mechanism, key, was, now))
    assert ours == f"{key} was {was!r}, is {now!r}"
    assert not others


@pytest.mark.parametrize(("mechanism", "key", "was", "now"), OTHERS)
def test_what_others_did_is_told(mechanism, key, was, now):
    ours, others = changes(*snapshots(mechanism, key, was, now))
    assert not ours
    assert others == f"{key} was {was!r}, is {now!r}"


def test_one_of_each_is_told_apart():
    before = Snapshot("netem", {"root": "fq_codel 0:", "through": "", "card": "eth0"})
    after = Snapshot("netem", {"root": "tbf 8001:", "through": "hx-through", "card": "eth0"})
    ours, others = changes(before, after)
    assert ours.startswith("through")
    assert others.startswith("root")
    assert changes(before, before) == ("", "")


def snapshots(mechanism, key, was, now):
    return Snapshot(mechanism, {key: was, "more": "1"}), Snapshot(
        mechanism, {key: now, "more": "1"}
    )
