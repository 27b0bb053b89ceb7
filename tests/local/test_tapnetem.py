"""What is tapnetem's alone: it stands beside a card that is somebody else's, and falls away."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time

from rungs import ALL, Tried, everything
from small_world import SmallWorld
from wired import C, profile, round_trips


def test_a_killed_relay_lets_packets_through_at_once() -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["tapnetem"])
        tried.make(profile(delay=C(0.05), direction="both"))
        assert statistics.median(round_trips(world, "client", "a")) >= 100
        (relay,) = subprocess.check_output(["pgrep", "-f", "tap_relay /run"], text=True).split()
        os.kill(int(relay), signal.SIGSTOP)
        assert round_trips(world, "client", "a", 2) == ()
        os.kill(int(relay), signal.SIGKILL)
        time.sleep(0.1)
        found = round_trips(world, "client", "a")
        assert len(found) == 10
        assert statistics.median(found) < 10
        assert everything(world) == tried.before
        tried.take_back()

    ALL["tapnetem"].run(check)


def test_packets_of_others_never_enter_user_space() -> None:
    """Seen by a relay that is stopped: whoever is caught hears nothing any more."""

    def check(world: SmallWorld) -> None:
        tried = Tried(world, ALL["tapnetem"])
        tried.make(profile(delay=C(0.05), peers=(world.addresses["b"],)))
        (relay,) = subprocess.check_output(["pgrep", "-f", "tap_relay /run"], text=True).split()
        os.kill(int(relay), signal.SIGSTOP)
        assert len(round_trips(world, "client", "a", 3)) == 3
        assert round_trips(world, "b", "a", 2) == ()
        os.kill(int(relay), signal.SIGCONT)
        tried.make(profile(delay=C(0.05)))
        assert statistics.median(round_trips(world, "client", "a")) >= 50
        tried.take_back()

    ALL["tapnetem"].run(check)
