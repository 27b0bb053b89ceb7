"""Cables: every node hangs on a bridge in the control plane, which is the switch as well.

There is no default route anywhere: nothing leaves the cluster. One cable leads to this machine, so
that tests reach the API server, pods and Services.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from devcluster.layout import CONTROL_PLANE, Layout, number
from devcluster.processes import in_network, living
from devcluster.shell import attempt, run

_BRIDGE = "br0"
_VANISHING_S = 30.0


def plug_in(layout: Layout, node: str) -> None:
    _ip(layout, node, "link set lo up")
    for which in ("all", "default"):
        in_network(layout, node, "sysctl", "-qw", f"net.ipv6.conf.{which}.disable_ipv6=1")
    if node == CONTROL_PLANE:
        _switch(layout)
    else:
        _cable(layout, node)
        _routes(layout, node)


def cable(layout: Layout, node: str, state: str) -> None:
    """`up` or `down`: at the switch's end, the node sees its carrier go."""
    _ip(layout, CONTROL_PLANE, f"link set {node} {state}")


def unplug_machine(layout: Layout) -> None:
    """The cable goes away with the cluster, a moment after its last process."""
    deadline = time.monotonic() + _VANISHING_S
    while Path("/sys/class/net", layout.link).exists():
        if time.monotonic() > deadline:
            run("ip", "link", "del", layout.link)
        time.sleep(0.02)


def _switch(layout: Layout) -> None:
    _ip(layout, CONTROL_PLANE, f"link add {_BRIDGE} type bridge")
    _ip(layout, CONTROL_PLANE, f"addr add {layout.address(CONTROL_PLANE)}/24 dev {_BRIDGE}")
    _ip(layout, CONTROL_PLANE, f"link set {_BRIDGE} up")
    peer = f"type veth peer name {layout.link} netns {os.getpid()}"
    _ip(layout, CONTROL_PLANE, f"link add machine {peer}")
    _ip(layout, CONTROL_PLANE, f"link set machine master {_BRIDGE} up")
    run("ip", "addr", "add", f"{layout.machine}/24", "dev", layout.link)
    run("ip", "link", "set", layout.link, "up")


def _cable(layout: Layout, node: str) -> None:
    """A fixed hardware address: after a power cut nobody waits for a stale ARP entry."""
    mac = f"02:00:c6:12:{layout.block:02x}:{10 + number(node):02x}"
    peer = f"type veth peer name eth0 address {mac} netns {living(layout, node)}"
    _add_when_free(layout, f"link add {node} {peer}")
    _ip(layout, CONTROL_PLANE, f"link set {node} master {_BRIDGE} up")
    _ip(layout, node, f"addr add {layout.address(node)}/24 dev eth0")
    _ip(layout, node, "link set eth0 up")


def _add_when_free(layout: Layout, command: str) -> None:
    """The old cable of a node that was powered off vanishes with its namespace, a moment later."""
    pid, deadline = str(living(layout, CONTROL_PLANE)), time.monotonic() + _VANISHING_S
    while attempt("nsenter", "-t", pid, "-n", "ip", *command.split()).returncode:
        if time.monotonic() > deadline:
            _ip(layout, CONTROL_PLANE, command)
        time.sleep(0.05)


def _routes(layout: Layout, node: str) -> None:
    """For Services any route will do, but there must be one before kube-proxy can translate."""
    _ip(layout, node, f"route add {layout.services} dev eth0")
    for other in layout.worker_names:
        if other != node:
            _ip(layout, node, f"route add {layout.pods(other)} via {layout.address(other)}")
    via = f"via {layout.address(node)}"
    _ip(layout, CONTROL_PLANE, f"route replace {layout.pods(node)} {via}")
    run("ip", "route", "replace", layout.pods(node), *via.split())
    if node == layout.worker_names[0]:
        run("ip", "route", "replace", layout.services, *via.split())


def _ip(layout: Layout, node: str, command: str) -> None:
    in_network(layout, node, "ip", *command.split())
