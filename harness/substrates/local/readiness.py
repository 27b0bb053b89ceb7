"""Is a replica answering: asked from host `client`, as the load would ask.

The socket is made in the world by the supervisor and handed out to us, so the probe itself runs
here. It comes from a port of our own probes, so that no fault counts it as the system's traffic,
and leaves no connection behind: it is closed, which the service sees, and then reset.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct

from harness.agent.effects import ORDINARY_PROBE_PORTS, PROBE_PORTS
from harness.substrates.local import channel
from harness.substrates.local.layout import CLIENT
from harness.substrates.substrate import Replica

LOOPBACK = "127.0.0.1"
_ATTEMPTS = 10
_MOST_BYTES = 1 << 20


def is_ready(world: str, replica: Replica, ready: str, timeout_s: float = 1.0) -> bool:
    """`ready` is `/path` (HTTP 2xx), `tcp` (connects), or empty (nothing is asked)."""
    if not ready:
        return True
    with contextlib.closing(_connected(world, replica, timeout_s)) as connection:
        if connection.fileno() < 0:
            return False
        answered = ready == "tcp" or _answers(connection, replica, ready)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        return answered


def _connected(world: str, replica: Replica, timeout_s: float) -> socket.socket:
    """A connection; a closed socket where there is none."""
    for _ in range(_ATTEMPTS):
        probe = _probe_socket(world)
        probe.settimeout(timeout_s)
        try:
            probe.bind(("", random.choice(_ports(replica))))
            probe.connect((replica.address, replica.port))
        except (ConnectionError, TimeoutError):
            probe.close()
            break
        except OSError:  # that port is in use by another probe
            probe.close()
        else:
            return probe
    return probe


def _ports(replica: Replica) -> range:
    return ORDINARY_PROBE_PORTS if replica.address == LOOPBACK else PROBE_PORTS


def _probe_socket(world: str) -> socket.socket:
    """Raises ChannelError."""
    (fd,) = channel.request(world, "socket", host=CLIENT).fds
    probe = socket.socket(fileno=fd)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return probe


def _answers(connection: socket.socket, replica: Replica, path: str) -> bool:
    asked = http.client.HTTPConnection(replica.name, replica.port)
    asked.sock = connection
    try:
        asked.request("GET", path)
        answer = asked.getresponse()
        answer.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException):
        return False
    return 200 <= answer.status < 300
