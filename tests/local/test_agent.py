"""The agent on its lease: whatever dies, hangs or goes silent, the link is as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from small_world import SmallWorld, in_world, until
from wired import C, agent, honest_cables, link_of, ports, profile, round_trips

from harness.capabilities import HandsError
from harness.substrates.hands import AgentHands

HOSTS = ("client", "a")
DELAY_S = 0.06


def slowed(world: SmallWorld, hands: AgentHands) -> tuple[object, ...]:
    """A delayed link; the ports as they were before."""
    honest_cables(world)
    before = ports()
    link = link_of(world, "a")
    hands.mechanism(link)
    time.sleep(0.8)  # as in a run, which looks before: what is needed gets ready meanwhile
    hands.renew()
    hands.make(link, "receipt-1", 1, hands.snapshot(link), (profile(delay=C(DELAY_S)),))
    assert min(round_trips(world, "client", "a", 3)) > DELAY_S * 1e3 * 0.9
    return before


def clean(world: SmallWorld, before: tuple[object, ...]) -> bool:
    trips = round_trips(world, "client", "a", 3)
    return ports() == before and len(trips) == 3 and max(trips) < DELAY_S * 1e3


def processes(world: SmallWorld) -> list[str]:
    """Command lines of everything that runs in this world, but for PID 1."""
    found = [path for path in Path("/proc").iterdir() if path.name.isdigit() and path.name != "1"]
    return [path.name for path in found if (path / "cmdline").read_bytes()]


@in_world(*HOSTS)
def test_it_tells_what_it_can_do_and_how(world: SmallWorld) -> None:
    with agent() as (hands, _):
        hello = hands.hello()
        assert hello["mechanisms"]["Link"] == "wire"
        link = link_of(world, "a")
        assert hands.mechanism(link) == "wire"
        assert hands.snapshot(link).settings == {"master": "br0", "state": "3", "stub": ""}


@in_world(*HOSTS)
def test_an_effect_is_made_changed_and_taken_back(world: SmallWorld) -> None:
    with agent() as (hands, _):
        before = slowed(world, hands)
        link = link_of(world, "a")
        snapshot = hands.snapshot(link)
        hands.make(link, "receipt-1", 2, snapshot, ())
        assert clean(world, before)
        hands.make(link, "receipt-1", 2, snapshot, ())
        with pytest.raises(HandsError, match="generation 1"):
            hands.make(link, "receipt-1", 1, snapshot, (profile(delay=C(DELAY_S)),))
        assert clean(world, before)


@in_world(*HOSTS)
def test_nothing_is_changed_without_a_receipt(world: SmallWorld) -> None:
    with agent() as (hands, _):
        link = link_of(world, "a")
        with pytest.raises(HandsError, match="receipt"):
            hands.make(link, "", 1, hands.snapshot(link), (profile(delay=C(DELAY_S)),))


@in_world(*HOSTS)
def test_the_end_of_its_pipe_takes_everything_back(world: SmallWorld) -> None:
    with agent() as (hands, reaper):
        before = slowed(world, hands)
        hands.close()
        assert until(lambda: reaper.poll() is not None)
        assert reaper.returncode == 0
        assert clean(world, before)
        assert processes(world) == []
        with pytest.raises(HandsError) as gone:
            hands.renew()
        assert gone.value.lost


@in_world(*HOSTS)
def test_kill_9_of_the_agent_is_taken_back_by_its_reaper(world: SmallWorld) -> None:
    with agent() as (hands, reaper):
        before = slowed(world, hands)
        os.kill(hands.hello()["pid"], signal.SIGKILL)
        assert until(lambda: reaper.poll() is not None)
        assert clean(world, before)
        assert processes(world) == []
        with pytest.raises(HandsError, match="taken back: a"):
            hands.renew()


@in_world(*HOSTS)
def test_kill_9_of_the_reaper_makes_the_agent_take_back(world: SmallWorld) -> None:
    with agent() as (hands, reaper):
        before = slowed(world, hands)
        reaper.kill()
        assert until(lambda: clean(world, before))
        link = link_of(world, "a")
        with pytest.raises(HandsError, match="reaper"):
            hands.make(link, "receipt-1", 9, hands.snapshot(link), (profile(delay=C(DELAY_S)),))


@in_world(*HOSTS)
def test_a_lease_that_is_not_renewed_ends_everything(world: SmallWorld) -> None:
    with agent(lease_s=1.0) as (hands, _):
        before = slowed(world, hands)
        assert until(lambda: clean(world, before), 3 * 2.0)
        link = link_of(world, "a")
        with pytest.raises(HandsError, match="lease"):
            hands.renew()
        with pytest.raises(HandsError, match="lease"):
            hands.make(link, "receipt-1", 9, hands.snapshot(link), (profile(delay=C(DELAY_S)),))


@in_world(*HOSTS)
def test_a_lease_that_is_renewed_holds(world: SmallWorld) -> None:
    with agent(lease_s=1.5) as (hands, _):
        slowed(world, hands)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            hands.renew()
            time.sleep(0.2)
        assert min(round_trips(world, "client", "a", 3)) > DELAY_S * 1e3 * 0.9


@in_world(*HOSTS)
def test_an_agent_that_is_stopped_is_killed_and_taken_back(world: SmallWorld) -> None:
    with agent(lease_s=1.0) as (hands, reaper):
        before = slowed(world, hands)
        os.kill(hands.hello()["pid"], signal.SIGSTOP)
        assert until(lambda: reaper.poll() is not None, 3 * 2.0)
        assert clean(world, before)
        assert processes(world) == []


@in_world(*HOSTS)
def test_signals_to_the_reaper_change_nothing(world: SmallWorld) -> None:
    with agent() as (hands, reaper):
        slowed(world, hands)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            reaper.send_signal(number)
        hands.renew()
        assert min(round_trips(world, "client", "a", 3)) > DELAY_S * 1e3 * 0.9


@in_world(*HOSTS)
def test_a_relay_that_dies_gives_the_port_back_at_once(world: SmallWorld) -> None:
    with agent() as (hands, _):
        before = slowed(world, hands)
        os.kill(relay(), signal.SIGKILL)
        assert until(lambda: clean(world, before))
        seen = hands.measure(link_of(world, "a"), profile(delay=C(DELAY_S)).effect, 0.3)
        assert seen.forth
        assert max(seen.forth.delays) < DELAY_S


@in_world(*HOSTS)
def test_a_relay_that_hangs_does_not_keep_the_port(world: SmallWorld) -> None:
    with agent() as (hands, _):
        before = slowed(world, hands)
        os.kill(relay(), signal.SIGSTOP)
        link = link_of(world, "a")
        hands.make(link, "receipt-1", 2, hands.snapshot(link), ())
        assert clean(world, before)


def relay() -> int:
    pids = subprocess.check_output(["pgrep", "-f", "wire_relay v-2"], text=True)
    return int(pids.split()[0])
