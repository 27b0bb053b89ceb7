"""Who calls a target: the system's own connections to the ports that it serves.

Connections that are open now are what the kernel lists. Callers that come and go between two such
lists are heard by what they send. Caveat: hearing needs a network namespace of ours; of an attached
process only what is open at a look is known.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import FrozenSet, List, Tuple

from harness.agent.effects import Processes, is_probe
from harness.mechanisms import sockets
from harness.mechanisms.namespaces import identity, inside
from harness.mechanisms.packets import TCP, read
from harness.mechanisms.place import keeper_of

#: Address and port of each.
Callers = FrozenSet[Tuple[str, int]]

_LOOK_S = 0.05
_HEAD = 128  # bytes of a frame that hold its addresses and ports
_MOST = 10_000  # packets: a busy target's callers are known long before
_ETH_P_IP, _TO_US = 0x0800, 0


def connected(target: Processes, waiting: bool = False) -> Callers:
    """Who is connected to the target's ports. `waiting`: only those whose data nobody has read yet.
    Our own probes are left out."""
    served = _ports(target)
    open_ones = sockets.OPEN if served else (*sockets.OPEN, sockets.LISTEN)
    found = _sockets_of(target, open_ones)
    ports = served or tuple(c.local_port for c in found if c.state == sockets.LISTEN)
    return frozenset(
        (c.remote, c.remote_port)
        for c in found
        if c.local_port in ports and c.state != sockets.LISTEN
        and not is_probe(c.remote_port) and (c.unread or not waiting)
    )  # fmt: skip


def heard(target: Processes, for_s: float) -> Callers:
    """Who calls the target in that time, also those that never stay; takes that long."""
    until = time.monotonic() + for_s
    with contextlib.ExitStack() as stack:
        ears: List[socket.socket] = []
        with contextlib.suppress(OSError):  # not ours to enter: what is open has to do
            if target.netns and target.ports:
                ears.append(stack.enter_context(inside(target.netns, _ear)))
        found = set(connected(target))
        while time.monotonic() < until:
            pause = max(0.0, min(_LOOK_S, until - time.monotonic()))
            if ears and len(found) < _MOST:
                found.update(_listen(ears[0], target.ports, pause))
            else:
                time.sleep(pause)
                found.update(connected(target))
    return frozenset(found)


def _ports(target: Processes) -> Tuple[int, ...]:
    keeper = keeper_of(target.keeper) if target.keeper else None
    return (keeper.port,) if keeper else target.ports


def _ear() -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
    found.setblocking(False)
    return found


def _listen(ear: socket.socket, ports: Tuple[int, ...], for_s: float) -> Callers:
    """Who sent something to these ports, as far as it is in the ear's buffer."""
    found = set()
    select.select([ear], [], [], for_s)
    for _ in range(_MOST):
        try:
            frame, (_, _, direction, _, _) = ear.recvfrom(_HEAD)
        except OSError:
            break
        packet = read(frame) if direction == _TO_US else None
        if packet and packet.protocol == TCP and packet.dport in ports and not packet.ours:
            found.add((socket.inet_ntoa(packet.source), packet.sport))
    return frozenset(found)


def _sockets_of(target: Processes, states: Tuple[int, ...]) -> Tuple[sockets.Connection, ...]:
    """None where its namespace is not ours to enter: then nothing can be counted."""
    netns = target.netns or f"/proc/{target.pid or 'self'}/ns/net"
    try:
        if identity(netns) == identity("/proc/self/ns/net"):
            return sockets.connections(states)
        return inside(netns, lambda: sockets.connections(states))
    except OSError:
        return ()
