"""Network devices by rtnetlink: veth pairs, a bridge, addresses, names, masters, lists.

A `Netlink` belongs to the network namespace of the thread that opened it and may then be used from
any thread (one at a time), so that one process can hold one for each namespace. It is a socket of
the kernel's own protocol, because an ordinary user cannot install the `ip` command. A refusal
raises OSError with the kernel's errno and the request in words.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple

_NETLINK_ROUTE = 0
_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _GETADDR = 16, 17, 18, 20, 22
_NEWNSID, _GETNSID, _NETNSA_NSID, _NETNSA_FD = 88, 90, 1, 3
_REQUEST, _ACK, _DUMP, _EXCL, _CREATE = 0x1, 0x4, 0x300, 0x200, 0x400
_ERROR, _DONE = 2, 3
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_TXQLEN, _IFLA_LINKINFO, _IFLA_NET_NS_FD, _IFLA_LINK_NETNSID = 13, 18, 28, 37
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFF_UP, _IFF_NOARP = 0x1, 0x80
_HEADER, _LINK, _ADDR, _ATTR = "=IHHII", "=BxHiII", "=BBBBi", "=HH"
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Device:
    """A network device; `master` is the index of the bridge that it is a port of, or 0.

    `peer` is the index of a cable's other end, in the namespace that is known here by the number
    `peer_netns` (-1: in this one)."""

    index: int
    name: str
    mac: str
    up: bool
    master: int
    peer: int
    mtu: int
    peer_netns: int = -1


@dataclass(frozen=True)
class Address:
    index: int
    address: str
    prefix: int


class Netlink:
    """Requests to the kernel about the devices of one network namespace."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_ROUTE)
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.bind((0, 0))
        self._number = 0

    def __enter__(self) -> Netlink:  # noqa: PYI034  Python 3.9 has no Self
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    # ------------------------------------------------------------ devices

    def add_bridge(self, name: str, mac: str = "") -> None:
        self._new(name, _nest(_IFLA_LINKINFO, _attr(_INFO_KIND, b"bridge")) + _mac(mac))

    def add_veth(
        self, name: str, peer: str, peer_netns: Optional[int] = None, peer_mac: str = ""
    ) -> None:
        """A cable; its other end `peer` is made in the namespace of that descriptor, or here."""
        there = _attr(_IFLA_IFNAME, peer.encode() + b"\0") + _mac(peer_mac)
        if peer_netns is not None:
            there += _attr(_IFLA_NET_NS_FD, struct.pack("=i", peer_netns))
        data = _nest(_INFO_DATA, _nest(_VETH_PEER, struct.pack(_LINK, 0, 0, 0, 0, 0) + there))
        self._new(name, _nest(_IFLA_LINKINFO, _attr(_INFO_KIND, b"veth") + data))

    def delete(self, name: str) -> None:
        """Delete a device, and with a veth its other end."""
        self._ask(_DELLINK, _ACK, _link(self.index(name)), f"delete {name}")

    def up(self, name: str) -> None:
        self._set(name, b"", "up", flags=_IFF_UP, change=_IFF_UP)

    def down(self, name: str) -> None:
        self._set(name, b"", "down", flags=0, change=_IFF_UP)

    def set_master(self, name: str, bridge: str) -> None:
        """Make it a port of the bridge; of none when `bridge` is empty."""
        index = self.index(bridge) if bridge else 0
        self._set(name, _attr(_IFLA_MASTER, struct.pack("=I", index)), f"master {bridge or 'none'}")

    def set_mtu(self, name: str, mtu: int) -> None:
        self._set(name, _attr(_IFLA_MTU, struct.pack("=I", mtu)), f"mtu {mtu}")

    def set_queue(self, name: str, packets: int) -> None:
        self._set(name, _attr(_IFLA_TXQLEN, struct.pack("=I", packets)), f"queue of {packets}")

    def quiet(self, name: str) -> None:
        """A card of ours that answers for no address of this namespace."""
        self._set(name, b"", "no ARP", flags=_IFF_NOARP, change=_IFF_NOARP)

    def rename(self, name: str, new: str) -> None:
        """Only while it is down."""
        self._set(name, _attr(_IFLA_IFNAME, new.encode() + b"\0"), f"rename to {new}")

    def move(self, name: str, netns: int) -> None:
        """Into the namespace of that descriptor; it is down and has no address there."""
        self._set(name, _attr(_IFLA_NET_NS_FD, struct.pack("=i", netns)), "move")

    def add_address(self, name: str, address: str, prefix: int) -> None:
        packed = socket.inet_aton(address)
        body = struct.pack(_ADDR, socket.AF_INET, prefix, 0, 0, self.index(name))
        body += _attr(_IFA_LOCAL, packed) + _attr(_IFA_ADDRESS, packed)
        self._ask(_NEWADDR, _ACK | _CREATE | _EXCL, body, f"address {address} on {name}")

    # ------------------------------------------------------------ lists

    def devices(self) -> Tuple[Device, ...]:
        answers = self._ask(_GETLINK, _DUMP, _link(0), "list devices")
        return tuple(_device(body) for kind, body in answers if kind == _NEWLINK)

    def device(self, name: str) -> Optional[Device]:
        return next((device for device in self.devices() if device.name == name), None)

    def index(self, name: str) -> int:
        found = self.device(name)
        if found is None:
            raise OSError(19, f"no network device {name}")
        return found.index

    def addresses(self) -> Tuple[Address, ...]:
        body = struct.pack(_ADDR, socket.AF_INET, 0, 0, 0, 0)
        answers = self._ask(_GETADDR, _DUMP, body, "list addresses")
        return tuple(_address(body) for kind, body in answers if kind == _NEWADDR)

    def number_of(self, netns: int) -> int:
        """The number by which this namespace knows the one of that descriptor; -1 when it does
        not."""
        body = bytes(4) + _attr(_NETNSA_FD, struct.pack("=i", netns))
        for kind, answer in self._ask(_GETNSID, _ACK, body, "number of a namespace"):
            if kind == _NEWNSID:
                found = dict(_attributes(answer, 4))
                return int(struct.unpack("=i", found[_NETNSA_NSID])[0])
        return -1

    # ------------------------------------------------------------ messages

    def _new(self, name: str, attributes: bytes) -> None:
        body = _link(0) + _attr(_IFLA_IFNAME, name.encode() + b"\0") + attributes
        self._ask(_NEWLINK, _ACK | _CREATE | _EXCL, body, f"add {name}")

    def _set(
        self, name: str, attributes: bytes, what: str, flags: int = 0, change: int = 0
    ) -> None:
        body = _link(self.index(name), flags, change) + attributes
        self._ask(_NEWLINK, _ACK, body, f"{name}: {what}")

    def _ask(self, kind: int, flags: int, body: bytes, what: str) -> List[Tuple[int, bytes]]:
        """Send one request and collect its answers until the kernel says that it is done."""
        self._number += 1
        head = struct.pack(_HEADER, 16 + len(body), kind, flags | _REQUEST, self._number, 0)
        self._socket.send(head + body)
        answers: List[Tuple[int, bytes]] = []
        while True:
            for number, kind_back, payload in _messages(self._socket.recv(1 << 18)):
                if number != self._number:
                    continue
                if kind_back == _ERROR:
                    _raise(payload, what)
                    return answers
                if kind_back == _DONE:
                    return answers
                answers.append((kind_back, payload))


def _raise(payload: bytes, what: str) -> None:
    code = -struct.unpack_from("=i", payload)[0]
    if code:
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _messages(data: bytes) -> Iterator[Tuple[int, int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        size, kind, _flags, number, _port = struct.unpack_from(_HEADER, data, at)
        yield number, kind, data[at + 16 : at + size]
        at += (size + 3) & ~3


def _link(index: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack(_LINK, 0, 0, index, flags, change)


def _attr(kind: int, value: bytes) -> bytes:
    return struct.pack(_ATTR, 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


_nest = _attr


def _mac(mac: str) -> bytes:
    return _attr(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else b""


def _attributes(data: bytes, at: int) -> Iterator[Tuple[int, bytes]]:
    while at + 4 <= len(data):
        size, kind = struct.unpack_from(_ATTR, data, at)
        if size < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + size]
        at += (size + 3) & ~3


def _device(body: bytes) -> Device:
    _family, _kind, index, flags, _change = struct.unpack_from(_LINK, body)
    found = dict(_attributes(body, 16))
    there = found.get(_IFLA_LINK_NETNSID, b"")
    return Device(
        index=index,
        name=found[_IFLA_IFNAME].rstrip(b"\0").decode(),
        mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
        up=bool(flags & _IFF_UP),
        master=_number(found.get(_IFLA_MASTER)),
        peer=_number(found.get(_IFLA_LINK)),
        mtu=_number(found.get(_IFLA_MTU)),
        peer_netns=int.from_bytes(there, sys.byteorder, signed=True) if there else -1,
    )


def _number(value: Optional[bytes]) -> int:
    return int(struct.unpack("=I", value)[0]) if value else 0


def _address(body: bytes) -> Address:
    _family, prefix, _flags, _scope, index = struct.unpack_from(_ADDR, body)
    found = dict(_attributes(body, 8))
    local = found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]
    return Address(index, socket.inet_ntoa(local), prefix)
