"""A relay between a host's port and the bridge, by packet sockets.

`python -m harness.mechanisms.wire_relay PORT STUB FD MAC`; FD is one end of its owner's pair.
"""

from __future__ import annotations

import socket
import sys

from harness.mechanisms.relay import Relay, Sides, run

#: How long a relay whose owner has died goes on passing frames: until the port is put back.
ORPHAN_S = 5.0
_BUFFER = 4 << 20
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_ETH_P_ALL = 3


def packet_socket(device: str) -> socket.socket:
    """Everything that comes in on that device; what goes out on it is not heard."""
    # Protocol 0 until bind: with ETH_P_ALL here it would hear every device until then, and relay
    # foreign frames.
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    found.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        found.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    found.bind((device, _ETH_P_ALL))
    found.setblocking(False)
    return found


def main(port: str, stub: str, control_fd: str, mac: str) -> None:
    control = socket.socket(fileno=int(control_fd))
    host, bridge = packet_socket(port), packet_socket(stub)  # both listen: the port may be shut
    sides = Sides(forth=host, back=bridge, out=bridge, home=host)
    run(Relay(sides, control, bytes.fromhex(mac), ORPHAN_S), control)


if __name__ == "__main__":
    main(*sys.argv[1:])
