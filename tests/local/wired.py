"""What tests of the wire and of the agent share: honest cables, a link, an agent of their own."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from small_world import SmallWorld, until

from harness.agent.effects import Curve, InForce, Link, LinkProfile
from harness.mechanisms import namespaces as ns
from harness.mechanisms.bridge import Bridge
from harness.substrates.hands import AgentHands

C = Curve.constant
_AGENT = """
import sys
from harness.agent.effects import Link
from harness.agent.ladder import LADDER
from harness.agent.main import main
links = sys.argv.pop(1)
sys.exit(main(None, {**LADDER, Link: (links,)} if links else LADDER))
"""


def honest_cables(world: SmallWorld) -> None:
    """As the local world builds them: real checksums, no giant frames."""
    for number, host in enumerate(world.addresses, 1):
        ns.offloads_off(f"v-{number}")
        ns.inside(world.netns(host), functools.partial(ns.offloads_off, "eth0"))


def link_of(world: SmallWorld, host: str) -> Link:
    number = list(world.addresses).index(host) + 1
    return Link(host, world.netns(host), f"v-{number}", world.addresses[host])


def profile(name: str = "x", **fields: object) -> InForce:
    return InForce(name, LinkProfile(**fields), time.monotonic())  # type: ignore[arg-type]


def round_trips(world: SmallWorld, host: str, to: str, count: int = 10) -> tuple[float, ...]:
    """Milliseconds, by ping: the second observer."""
    pinged = ns.inside(
        world.netns(host),
        lambda: subprocess.run(
            ["ping", "-c", str(count), "-i", "0.02", "-W", "1", world.addresses[to]],
            capture_output=True, text=True, timeout=30, check=False,
        ),
    )  # fmt: skip
    return tuple(float(found) for found in re.findall(r"time=([\d.]+)", pinged.stdout))


def ports() -> tuple[tuple[str, int | None], ...]:
    """Every port of the bridge and whether it is open; nothing else that we made may be there."""
    with Bridge() as net:
        names = sorted(device.name for device in net.devices())
        return tuple((name, net.state(name)) for name in names if name not in ("lo", "br0"))


@contextmanager
def agent(
    lease_s: float = 5.0, mechanism: type[object] | None = None
) -> Iterator[tuple[AgentHands, subprocess.Popen[bytes]]]:
    """Its hands and its reaper's process; with that mechanism for links, or the usual ones."""
    places = f"{mechanism.__module__}:{mechanism.__name__}" if mechanism else ""
    reaper = subprocess.Popen(
        [sys.executable, "-c", _AGENT, places, "--lease", str(lease_s)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert reaper.stdin
    assert reaper.stdout
    hands = AgentHands(reaper.stdout, reaper.stdin)
    try:
        yield hands, reaper
    finally:
        hands.close()
        assert until(lambda: reaper.poll() is not None, 10), "the agent does not end"
