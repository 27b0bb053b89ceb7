"""Plain network namespaces of root: two hosts at a switch, and a substrate of just those.

No world ends with a run here: what the kernel was told to do stays, as it would with a pod, until
somebody takes it back. A namespace is named by a descriptor of ours, so that nothing of it lies in
the file system and it ends with us.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.agent.effects import Edge, Link, Processes, Resource
from harness.capabilities import Edges, Links, Signals
from harness.experiment.system_model import System
from harness.mechanisms import namespaces as ns
from harness.mechanisms.netlink import Netlink
from harness.substrates.attached import AttachedSubstrate
from harness.substrates.attached.identity import start_of
from harness.substrates.substrate import Replica, Topology

ASKER, SERVER, SWITCH = "asker", "server", "switch"
#: Of a range that is nobody's, in namespaces without a way out.
_ADDRESSES = {ASKER: "198.18.0.1", SERVER: "198.18.0.2"}
_PREFIX = 30
_CARD, _BRIDGE = "eth0", "br0"
_NO_IPV6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")


@dataclass(frozen=True)
class Host:
    """`netns` is a path of its namespace, `fd` the descriptor behind it."""

    name: str
    fd: int

    @property
    def netns(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @property
    def address(self) -> str:
        return _ADDRESSES[self.name]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread stands there: what it starts does, too, and ends with that thread."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            ns.enter(self.fd, ns.NEW_NET)
            with contextlib.suppress(OSError):  # its own talk would look like a change
                _NO_IPV6.write_text("1")
            yield
        finally:
            ns.enter(home, ns.NEW_NET)
            os.close(home)


@contextlib.contextmanager
def cabled() -> Iterator[tuple[Host, Host, Host]]:
    """Asker, server, and the switch between them. Raises OSError where that is not allowed."""
    with contextlib.ExitStack() as held:
        asker, server, switch = (Host(name, ns.new_netns()) for name in (ASKER, SERVER, SWITCH))
        for host in (asker, server, switch):
            held.callback(os.close, host.fd)
        with switch.entered(), Netlink() as net:
            net.add_bridge(_BRIDGE)
            net.up(_BRIDGE)
        for host in (asker, server):
            with switch.entered(), Netlink() as net:
                net.add_veth(host.name, _CARD, host.fd)
                net.set_master(host.name, _BRIDGE)
                net.up(host.name)
            with host.entered(), Netlink() as net:
                net.add_address(_CARD, host.address, _PREFIX)
                net.up(_CARD)
        yield asker, server, switch


def why_not() -> str:
    """Why there can be no such namespaces here, or nothing."""
    if os.getuid():
        return "plain network namespaces need root"
    try:
        with cabled():
            return ""
    except OSError as error:
        return f"no plain network namespaces can be made: {error}"


@dataclass(frozen=True)
class Standing:
    """A process that stands on a host, and listens on a port."""

    name: str
    netns: str
    address: str
    pid: int
    port: int


class PlainNamespaces(AttachedSubstrate):
    """Whose services stand already, each in a namespace of its own."""

    def __init__(self, there: tuple[Standing, ...]) -> None:
        self._there = {each.name: each for each in there}

    def refuse(self, system: System) -> str:
        return ""

    def topology(self, system: System) -> Topology:
        replicas = tuple(
            Replica(each.name, each.name, "", each.address, each.port, each.pid)
            for each in self._there.values()
        )
        return Topology(replicas, ((ASKER, SERVER),), Replica("client", "client", "", "", 0))

    def resources(
        self, capability: type, origins: tuple[Replica, ...], to: tuple[Replica, ...]
    ) -> tuple[Resource, ...]:
        there = [self._there[origin.name] for origin in origins]
        if capability is Links:
            return tuple(Link(each.name, each.netns, "", each.address) for each in there)
        if capability is Edges:
            return tuple(
                Edge(f"{each.name}->{other.name}", each.netns, (other.address,), other.port)
                for each in there
                for other in to
            )
        if capability is not Signals:
            return ()
        return tuple(
            Processes(each.name, pid=each.pid, start=start_of(each.pid), ports=(each.port,))
            for each in there
        )

    def mechanism(self, resource: Resource) -> str:
        """The agent's ladder says it for links."""
        return {Link: "", Edge: "proxy"}.get(type(resource), "signals")
