"""The probe as bytes: a packet that only another probe's receiver takes notice of.

TCP probes are bare ACKs, ICMP ones unasked echo replies; TCP and UDP carry a checksum that is wrong
on purpose, so that the receiver's kernel drops them in silence and no application ever sees one. A
checksum of our own tells a probe that was damaged on the way from one that was not.
"""

from __future__ import annotations

import socket
import struct
import zlib
from dataclasses import dataclass
from typing import Optional

from harness.agent.effects import PROBE_PORTS
from harness.mechanisms.filters import Probe
from harness.mechanisms.hosts import Host
from harness.mechanisms.packets import (
    ETHERNET,
    ICMP,
    NUMBERS,
    TCP,
    UDP,
    checksum,
    ip_header,
    read,
)

#: The first byte of a probe's IP identification; the second tells the look. Layer 3 stays whole
#: when a packet is corrupted: a damaged probe of another look, from elsewhere, is not ours.
MARK = 0x48
_LOOKS = 256
_MAGIC = b"harness-probe"
_BODY = struct.Struct("!13sII")
#: Bytes of layer 4 before the body.
_HEADS = {TCP: 20, UDP: 8, ICMP: 8}
SMALLEST = ETHERNET + 20 + 20 + _BODY.size + 4


@dataclass(frozen=True)
class Seen:
    """A frame that is a probe, or one that was corrupted: then its number is -1, and `mark` is what
    is left of its look."""

    mark: int
    look: int
    number: int


@dataclass(frozen=True)
class Course:
    """Where probes of one look go, and as what."""

    sender: Host
    receiver: Host
    probe: Probe
    look: int

    @property
    def mark(self) -> int:
        return self.look % _LOOKS

    def frame(self, number: int, size: int = 0) -> bytes:
        """The frame of that probe, `size` bytes long or as short as it can be."""
        protocol = NUMBERS[self.probe.protocol]
        source, destination = map(socket.inet_aton, (self.sender.address, self.receiver.address))
        segment = _segment(self, protocol, number, size, source + destination)
        head = ip_header(source, destination, protocol, len(segment), MARK << 8 | self.mark)
        return self.receiver.mac + self.sender.mac + b"\x08\x00" + head + segment


def _segment(course: Course, protocol: int, number: int, size: int, addresses: bytes) -> bytes:
    body = _BODY.pack(_MAGIC, course.look, number)
    length = _HEADS[protocol] + len(body) + 4
    body += bytes(max(0, size - ETHERNET - 20 - length))
    length = _HEADS[protocol] + len(body) + 4
    pseudo = addresses + struct.pack("!BBH", 0, protocol, length)
    for wrong in (0x5555, 0xAAAA):
        segment = _head(course, protocol, number, length, wrong) + body
        segment += struct.pack("!I", zlib.crc32(segment))
        if checksum((b"" if protocol == ICMP else pseudo) + segment):
            break  # it is wrong indeed; both cannot be right
    return segment


def _head(course: Course, protocol: int, number: int, length: int, summed: int) -> bytes:
    port = PROBE_PORTS[(course.look + number) % len(PROBE_PORTS)]
    if protocol == ICMP:
        return struct.pack("!BBHHH", 0, 0, summed, port, number & 0xFFFF)
    if protocol == UDP:
        return struct.pack("!HHHH", port, course.probe.port, length, summed)
    return struct.pack(
        "!HHIIBBHHH", port, course.probe.port, number, number, 0x50, 0x10, 1024, summed, 0
    )


def seen_in(frame: bytes) -> Optional[Seen]:
    """The probe in a frame; None when it is none."""
    if len(frame) < ETHERNET + 20 or frame[18] != MARK:
        return None
    packet = read(frame)
    if packet is None or packet.protocol not in _HEADS:
        return None
    body = packet.at + _HEADS[packet.protocol]
    if packet.end < body + _BODY.size + 4:
        return None
    segment = frame[packet.at : packet.end]
    if zlib.crc32(segment[:-4]) == int.from_bytes(segment[-4:], "big"):
        magic, look, number = _BODY.unpack_from(frame, body)
        return Seen(frame[19], look, number) if magic == _MAGIC else None
    return Seen(frame[19], 0, -1) if _resembles(frame[body : body + len(_MAGIC)]) else None


def _resembles(magic: bytes) -> bool:
    """One bit of the whole may be wrong, so at most one byte of the magic is."""
    return sum(a != b for a, b in zip(magic, _MAGIC)) <= 1  # noqa: B905  Python 3.9


def refused_in(frame: bytes, by: Host) -> bool:
    """It tells a probe's sender that this receiver does not take it: a reset, or an ICMP
    unreachable."""
    packet = read(frame)
    if packet is None or packet.dport not in PROBE_PORTS:
        return False
    if packet.source != socket.inet_aton(by.address):
        return False
    if packet.protocol == TCP:
        return bool(frame[packet.at + 13] & 4)
    return packet.protocol == ICMP and frame[packet.at] == 3
