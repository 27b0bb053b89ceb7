"""The rungs of the ladder of `Link`, each in a small world in which it works.

`@on_every_rung` runs a test for each of them; `HARNESS_TEST_RUNGS` names others than those that
work on an ordinary kernel (those that need netem run under user-mode Linux).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from small_world import SmallWorld, in_world
from wired import honest_cables, link_of

from harness.agent.effects import InForce, Link
from harness.agent.nursery import nursery
from harness.mechanisms import namespaces as ns
from harness.mechanisms.bridge import Bridge
from harness.mechanisms.netem import KernelNetem
from harness.mechanisms.netlink import Netlink
from harness.mechanisms.nfqueue import NfQueue
from harness.mechanisms.nft import tables
from harness.mechanisms.tapnetem import TapNetem
from harness.mechanisms.wire import Wire

_RCVBUF_FORCE = 33
HOSTS = ("client", "a", "b")


@dataclass(frozen=True)
class Rung:
    """`cable`: the link's other end is known, as in a world of our own; elsewhere it is not.
    `lost`: packets of 1000 that may be lost in 16 changes; `fast`: of a rate, so much is used by
    one sender."""

    mechanism: type[Any]
    cable: bool = False
    as_root: bool = True
    lost: int = 3
    fast: float = 0.7

    def run(self, check: Callable[[SmallWorld], None]) -> None:
        in_world(*HOSTS, as_root=self.as_root)(check)()

    def link(self, world: SmallWorld, host: str) -> Link:
        link = link_of(world, host)
        return link if self.cable else dataclasses.replace(link, port="")


ALL = {
    "wire": Rung(Wire, cable=True, as_root=False),
    "netem": Rung(KernelNetem, lost=24),  # a packet or two whenever queues come or go
    "tapnetem": Rung(TapNetem),
    "nfqueue": Rung(NfQueue, fast=0.2),  # a sender waits until the relay has read what it sent
}
NAMES = os.environ.get("HARNESS_TEST_RUNGS", "wire,tapnetem,nfqueue").split(",")
RUNGS = {name: ALL[name] for name in NAMES}


class Tried:
    """A rung's mechanism on host a, which is left as it was found."""

    def __init__(self, world: SmallWorld, rung: Rung) -> None:
        honest_cables(world)
        self.world = world
        self.rung = rung
        self.link = rung.link(world, "a")
        self.mechanism = rung.mechanism()
        self.before = everything(world)
        assert self.mechanism.works(self.link) == ""
        self.snapshot = self.mechanism.snapshot(self.link)
        nursery().end(0)  # it answers: as in a run, where it was begun seconds before

    def make(self, *effects: InForce) -> None:
        self.mechanism.make(self.link, self.snapshot, effects)

    def take_back(self) -> None:
        self.make()
        assert everything(self.world) == self.before
        assert self.mechanism.snapshot(self.link) == self.snapshot

    def udp(self, count: int, size: int = 64, gap_s: float = 0.001) -> list[int]:
        """Numbers of the datagrams that client got from a, in their order."""
        got = receiver(self.world, "client")
        sender = bound(self.world, "a")
        for number in range(count):
            goal = (self.world.addresses["client"], 7000)
            sender.sendto(number.to_bytes(4, "big").ljust(size), goal)
            time.sleep(gap_s)
        time.sleep(0.2)
        found = []
        while True:
            try:
                found.append(int.from_bytes(got.recv(2048)[:4], "big"))
            except BlockingIOError:
                return found


def on_every_rung(test: Callable[[Tried], None], but: tuple[str, ...] = ()) -> Callable[..., None]:
    """`but`: rungs whose docstring says that they do not do this."""
    chosen = {name: rung for name, rung in RUNGS.items() if name not in but}
    if not chosen:
        return lambda: None

    @pytest.mark.parametrize("rung", chosen.values(), ids=list(chosen))
    def run(rung: Rung) -> None:
        rung.run(lambda world: test(Tried(world, rung)))

    run.__name__ = test.__name__
    return run


but_netem = functools.partial(on_every_rung, but=("netem",))
#: Those that tell a sender that nobody takes its packet.
that_answer = functools.partial(on_every_rung, but=("netem", "nfqueue"))


def everything(world: SmallWorld) -> tuple[object, ...]:
    """Every network device and table of the world, and which ports of the bridge stand open."""
    with Bridge() as net:
        outside = sorted((device.name, net.state(device.name)) for device in net.devices())
    return outside, *(sorted(ns.inside(world.netns(host), _names)) for host in world.addresses)


def _names() -> list[str]:
    with Netlink() as net:
        found = [device.name for device in net.devices()]
    with contextlib.suppress(OSError):  # a kernel without nftables
        found += tables()
    return found


def receiver(world: SmallWorld, host: str) -> socket.socket:
    found = bound(world, host)
    found.bind((world.addresses[host], 7000))
    for option in (socket.SO_RCVBUF, _RCVBUF_FORCE):
        with contextlib.suppress(PermissionError):
            found.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
    found.setblocking(False)
    return found


def bound(world: SmallWorld, host: str) -> socket.socket:
    return ns.inside(world.netns(host), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
