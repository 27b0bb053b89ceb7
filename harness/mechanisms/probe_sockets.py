"""Packet sockets of the witness: frames out, and in with the kernel's own time of arrival."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time
from typing import Any, Iterable, Iterator, List, NamedTuple, Protocol, Tuple

from harness.agent.effects import PROBE_PORTS
from harness.mechanisms.hosts import Host
from harness.mechanisms.namespaces import inside
from harness.mechanisms.packets import ETHERNET, ICMP, TCP
from harness.mechanisms.probe_packets import MARK
from harness.mechanisms.raw_ends import RawEnd

_ETH_P_IP, _ETH_P_ALL = 0x0800, 3
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35
_SNAP = 2048
_BUFFER = 4 << 20

_LDH, _LDB, _JEQ, _JGE, _RET = 0x28, 0x30, 0x15, 0x35, 0x06
#: Classic BPF: marked packets, ICMP, and TCP to a probe's port (bytes counted from the Ethernet
#: header); the rest of a busy host's traffic never wakes us.
_ONLY_PROBES = (
    (_LDB, 0, 0, 18), (_JEQ, 6, 0, MARK),
    (_LDB, 0, 0, 23), (_JEQ, 4, 0, ICMP), (_JEQ, 0, 4, TCP),
    (_LDH, 0, 0, 36), (_JGE, 0, 2, PROBE_PORTS[0]), (_JGE, 1, 0, PROBE_PORTS[-1] + 1),
    (_RET, 0, 0, _SNAP), (_RET, 0, 0, 0),
)  # fmt: skip


class Arrival(NamedTuple):
    """`at` is monotonic seconds, `size` the frame's bytes, of which `frame` holds the first."""

    at: float
    size: int
    frame: bytes


class End(Protocol):
    """Sends and hears frames, without blocking."""

    def fileno(self) -> int: ...

    def send(self, frame: bytes, /) -> int: ...

    def recvmsg(self, size: int, extra: int, /) -> Tuple[bytes, List[Any], int, Any]: ...

    def close(self) -> None: ...


def open_at(host: Host, protocol: str, everything: bool = False) -> End:
    """On the host's network card; hears probes only, or `everything` that is IPv4. A host that is
    looked at from `above` netfilter hears packets of that protocol.

    At a host it hears what has passed all effects of the card, as its applications do; outside,
    what the cable carries, before the card's own bridge or programs take it."""
    if host.above:
        return inside(host.netns, lambda: RawEnd(host, protocol, MARK, everything))
    return inside(host.netns, lambda: _open(host, everything))


def _open(host: Host, everything: bool) -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # deaf until it is bound
    if not everything:
        program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _ONLY_PROBES)
        held = ctypes.create_string_buffer(program)
        address = struct.pack("@HP", len(_ONLY_PROBES), ctypes.addressof(held))
        found.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, address)
    found.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        found.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    if host.outside and not host.below:
        found.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    found.bind((host.device, _ETH_P_ALL if host.outside else _ETH_P_IP))
    found.setblocking(False)
    return found


def close_soon(sockets: Iterable[End]) -> None:
    """The kernel takes some 10 ms for each, which nobody has to wait for."""
    for each in sockets:
        threading.Thread(target=each.close, daemon=True).start()


def arrivals(heard: End, most: int = 256) -> Iterator[Arrival]:
    """What has come in by now."""
    for _ in range(most):
        try:
            frame, extra, _flags, _from = heard.recvmsg(_SNAP, 64)
        except OSError:  # nothing more, or the host is gone
            return
        yield Arrival(_monotonic(extra), _size(frame), frame)


def _size(frame: bytes) -> int:
    """Its true size where only the beginning was kept: as its IP header has it."""
    if len(frame) < _SNAP:
        return len(frame)
    return max(len(frame), ETHERNET + int.from_bytes(frame[16:18], "big"))


def _monotonic(extra: List[Tuple[int, int, bytes]]) -> float:
    """The kernel stamps wall time; both clocks are read here, so a step of it hits one packet."""
    now, wall = time.monotonic(), time.time()
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack_from("@qq", data)
            return now - (wall - float(seconds) - float(nanoseconds) * 1e-9)
    return now
