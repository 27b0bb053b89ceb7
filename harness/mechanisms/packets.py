"""Ethernet frames read as IPv4 packets, damaged, and refused.

Only what a link fault needs to know of a packet. Caveat: what is not IPv4 (ARP, IPv6) is no packet
here, and faults leave it alone: a world speaks IPv4, and without ARP nothing else would be tested.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Tuple

from harness.agent.effects import PROBE_PORTS

ICMP, TCP, UDP = 1, 6, 17
NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}
NUMBERS = {name: number for number, name in NAMES.items()}

ETHERNET = 14
_IPV4 = b"\x08\x00"
_RST, _SYN, _FIN, _ACK = 4, 2, 1, 16
#: ICMP messages that are answers to trouble: nobody answers trouble with trouble.
_TROUBLES = frozenset({3, 4, 5, 11, 12})


class Packet(NamedTuple):
    """`at` is where its layer 4 begins in the frame and `end` where it ends; ports are 0 where
    there are none, for ICMP echoes `sport` is the identifier. `first` is False for the later
    fragments of a datagram.
    """

    source: bytes
    destination: bytes
    protocol: int
    sport: int
    dport: int
    at: int
    end: int
    first: bool
    ttl: int

    @property
    def ours(self) -> bool:
        """It is a probe of ours, or the answer to one."""
        return self.sport in PROBE_PORTS or self.dport in PROBE_PORTS


def read(frame: bytes) -> Optional[Packet]:
    """The packet in this frame, None when there is none."""
    if frame[12:14] != _IPV4 or len(frame) < ETHERNET + 20:
        return None
    at = ETHERNET + (frame[ETHERNET] & 0xF) * 4
    end = min(len(frame), ETHERNET + int.from_bytes(frame[16:18], "big"))
    protocol = frame[23]
    first = not (frame[20] & 0x1F or frame[21])
    sport, dport = _ports(frame, protocol, at) if first and end >= at + 8 else (0, 0)
    return Packet(frame[26:30], frame[30:34], protocol, sport, dport, at, end, first, frame[22])


def _ports(frame: bytes, protocol: int, at: int) -> Tuple[int, int]:
    if protocol in (TCP, UDP):
        return int.from_bytes(frame[at : at + 2], "big"), int.from_bytes(
            frame[at + 2 : at + 4], "big"
        )
    if protocol == ICMP and frame[at] in (0, 8):
        return int.from_bytes(frame[at + 4 : at + 6], "big"), 0
    if protocol == ICMP and frame[at] in _TROUBLES:
        quoted = read(frame[:12] + _IPV4 + frame[at + 8 :])
        return (quoted.dport, quoted.sport) if quoted else (0, 0)
    return 0, 0


def flipped(frame: bytes, packet: Packet, chance: float) -> bytes:
    """One bit of its layer 4 is wrong, and the checksum with it; `chance` (0 to 1) says which."""
    if packet.end <= packet.at:
        return frame
    bit = int(chance * (packet.end - packet.at) * 8)
    damaged = bytearray(frame)
    damaged[packet.at + bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def refusal(frame: bytes, packet: Packet) -> Optional[bytes]:
    """What tells the sender that nobody will take this: TCP a reset, all others ICMP."""
    if packet.protocol == TCP:
        return _reset(frame, packet)
    if packet.protocol == ICMP and frame[packet.at] in _TROUBLES:
        return None
    quoted = frame[ETHERNET : packet.at + 8]
    head = struct.pack("!BBHI", 3, 3, 0, 0)
    return _back(frame, packet, ICMP, _summed(head + quoted, 2))


def _reset(frame: bytes, packet: Packet) -> Optional[bytes]:
    if packet.end < packet.at + 20:
        return None
    sequence, acknowledged, offset, flags = struct.unpack_from("!IIBB", frame, packet.at + 4)
    if flags & _RST:
        return None
    if flags & _ACK:
        numbers = (acknowledged, 0, _RST)
    else:
        length = (
            packet.end - packet.at - (offset >> 4) * 4 + bool(flags & _SYN) + bool(flags & _FIN)
        )
        numbers = (0, (sequence + length) & 0xFFFFFFFF, _RST | _ACK)
    sequence, acknowledged, flags = numbers
    segment = struct.pack(
        "!HHIIBBHHH", packet.dport, packet.sport, sequence, acknowledged, 0x50, flags, 0, 0, 0
    )
    pseudo = packet.destination + packet.source + struct.pack("!BBH", 0, TCP, len(segment))
    return _back(frame, packet, TCP, _summed(segment, 16, pseudo))


def _back(frame: bytes, packet: Packet, protocol: int, payload: bytes) -> bytes:
    return (
        frame[6:12] + frame[:6] + _IPV4
        + ip_header(packet.destination, packet.source, protocol, len(payload)) + payload
    )  # fmt: skip


def ip_header(
    source: bytes, destination: bytes, protocol: int, size: int, number: int = 0
) -> bytes:
    """20 bytes in front of `size` bytes; `number` is the identification."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, number, 0x4000, 64, protocol, 0)
    return _summed(head + source + destination, 10)


def _summed(data: bytes, at: int, before: bytes = b"") -> bytes:
    """`data` with its Internet checksum put in at that place."""
    return data[:at] + struct.pack("!H", checksum(before + data)) + data[at + 2 :]


def checksum(data: bytes) -> int:
    """The Internet checksum; bytes that are summed together must begin at an even place."""
    data += b"\0" * (len(data) % 2)
    total = int(sum(struct.unpack(f"!{len(data) // 2}H", data)))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
