"""The network of a world: one bridge, and for each host a namespace with one cable to it.

No default route, no way out. Offloads are off, so that every frame on a cable is as on a real wire
and faults act on packets. IPv6 is off: its own chatter would be traffic that nobody sent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.mechanisms.namespaces import (
    MS_BIND,
    NEW_NET,
    enter,
    mount,
    offloads_off,
    unshare,
)
from harness.mechanisms.netlink import Netlink
from harness.substrates.local.spec import BRIDGE, PREFIX, Host

_BRIDGE_MAC = "02:00:c6:12:ff:ff"


def build(hosts: Sequence[Host]) -> dict[str, int]:
    """Descriptors of the hosts' namespaces, and under the empty name our own.

    Moves the calling thread about, so it must be the only one.
    """
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _quiet()
    with Netlink() as net:
        net.up("lo")
        net.add_bridge(BRIDGE, _BRIDGE_MAC)
        net.up(BRIDGE)
        found = {host.name: _host(net, home, host) for host in hosts}
    return {"": home, **found}


def _host(net: Netlink, home: int, host: Host) -> int:
    netns = _namespace(host)
    enter(home, NEW_NET)
    net.add_veth(host.cable, "eth0", netns, host.mac)
    net.set_master(host.cable, BRIDGE)
    net.up(host.cable)
    offloads_off(host.cable)
    enter(netns, NEW_NET)
    with Netlink() as there:
        there.up("lo")
        offloads_off("eth0")
        there.add_address("eth0", host.address, PREFIX)
        there.up("eth0")
    enter(home, NEW_NET)
    return netns


def _namespace(host: Host) -> int:
    unshare(NEW_NET)
    _quiet()
    Path(host.netns).touch()
    mount("/proc/self/ns/net", host.netns, flags=MS_BIND)
    return os.open(host.netns, os.O_RDONLY | os.O_CLOEXEC)


def _quiet() -> None:
    """Settings of the namespace that the thread is in: no IPv6 of its own, any port for services,
    and no memory of how a connection to the same peer went before."""
    _set("ipv6/conf/default/disable_ipv6", "1")
    _set("ipv4/ip_unprivileged_port_start", "0")
    _set("ipv4/tcp_no_metrics_save", "1")


def _set(name: str, value: str) -> None:
    path = Path("/proc/sys/net", name)
    if path.exists():
        path.write_text(value)
