"""What is the wire's alone: it stands between a port and a bridge of ours."""

from __future__ import annotations

import pytest
from rungs import ALL, Tried
from small_world import SmallWorld
from wired import C, ports, profile

from harness.agent.protocol import TargetGone
from harness.mechanisms import namespaces as ns


def test_a_port_that_is_gone_is_a_target_that_is_gone() -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["wire"])
        tried.make(profile(delay=C(0.01)))
        with ns.Netlink() as net:
            net.delete("v-2")
        tried.make()
        assert [name for name, _ in ports()] == ["v-1", "v-3"]
        with pytest.raises(TargetGone):
            tried.make(profile(delay=C(0.01)))

    ALL["wire"].run(check)
