"""What is nfqueue's alone: it needs two capabilities, and whoever dies takes its rules along."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time

import pytest
from rungs import ALL, Tried, everything
from small_world import SmallWorld
from wired import C, profile, round_trips

from harness.agent.protocol import Failed
from harness.mechanisms import namespaces as ns


def relay() -> int:
    return int(subprocess.check_output(["pgrep", "-f", "queue_relay /run"], text=True))


def test_a_killed_relay_lets_packets_through_at_once() -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["nfqueue"])
        tried.make(profile(delay=C(0.05), direction="both"))
        assert statistics.median(round_trips(world, "client", "a")) >= 100
        os.kill(relay(), signal.SIGSTOP)
        assert round_trips(world, "client", "a", 2) == ()
        os.kill(relay(), signal.SIGKILL)
        time.sleep(0.1)
        assert statistics.median(round_trips(world, "client", "a")) < 10
        assert everything(world) == tried.before
        tried.take_back()

    ALL["nfqueue"].run(check)


def test_packets_of_others_are_not_handed_over() -> None:
    """Seen by a relay that is stopped: whoever is caught hears nothing any more."""

    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["nfqueue"])
        tried.make(profile(delay=C(0.05), peers=(world.addresses["b"],), direction="both"))
        os.kill(relay(), signal.SIGSTOP)
        assert len(round_trips(world, "client", "a", 3)) == 3
        assert round_trips(world, "b", "a", 2) == ()
        os.kill(relay(), signal.SIGCONT)
        tried.take_back()

    ALL["nfqueue"].run(check)


def test_datagrams_larger_than_a_frame_arrive_whole() -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["nfqueue"])
        tried.make(profile(delay=C(0.02)))
        pinged = ns.inside(
            world.netns("client"),
            lambda: subprocess.run(
                ["ping", "-c", "3", "-i", "0.02", "-s", "4000", world.addresses["a"]],
                capture_output=True, text=True, timeout=30, check=False,
            ),
        )  # fmt: skip
        assert "3 received" in pinged.stdout, pinged.stdout
        tried.take_back()

    ALL["nfqueue"].run(check)


def test_what_it_cannot_do_is_refused_by_name() -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["nfqueue"])
        for cannot in (profile(cut="reject"), profile(duplicate=C(0.1), direction="both")):
            assert "NFQUEUE cannot" in tried.mechanism.works(tried.link, (cannot.effect,))
            with pytest.raises(Failed, match="NFQUEUE cannot"):
                tried.make(cannot)
        tried.take_back()

    ALL["nfqueue"].run(check)


def test_its_witness_sees_what_netfilter_does() -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["nfqueue"])
        round_trips(world, "a", "client", 1)
        late = profile(delay=C(0.03))
        tried.make(late)
        seen = tried.mechanism.measure(tried.link, late.effect, 0.2)
        assert 0.03 <= statistics.median(seen.forth.delays) < 0.045
        assert statistics.median(seen.back.delays) < 0.005
        tried.take_back()
        seen = tried.mechanism.measure(tried.link, late.effect, 0.2)
        assert statistics.median(seen.forth.delays) < 0.005

    ALL["nfqueue"].run(check)
