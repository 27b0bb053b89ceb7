"""Bridge ports: which of two stands open, so that a relay can take a host's place in the bridge.

A port that is shut stays a port: it only neither takes nor gives frames, and shutting it is done
at once, whereas taking it out of the bridge waits for the kernel's readers and loses what comes
meanwhile. Caveat: the addresses that the bridge had learned behind a port must be forgotten when
it is shut, or their frames would still go there.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import Dict, Iterator, Optional, Tuple

from harness.mechanisms.netlink import Netlink

SHUT, OPEN = 0, 3

_GETLINK, _SETLINK = 18, 19
_ACK, _DUMP, _NESTED = 0x4, 0x300, 0x8000
_IFNAME, _MASTER, _PROTINFO, _LINKINFO = 3, 10, 12, 18
_LINK = "=BxHiII"
_OPERSTATE, _UP = 16, b"\x06"
_CARRIES_S = 3.0
_INFO_SLAVE_DATA, _PORT_STATE, _PORT_FLUSH = 5, 1, 24


class Bridge(Netlink):
    """Netlink with what ports of a bridge need."""

    def __enter__(self) -> Bridge:  # noqa: PYI034  Python 3.9 has no Self
        return self

    def swap(self, opens: str, shuts: str, state: int = OPEN) -> float:
        """Open one port and shut another; the monotonic time before which both stood open. A frame
        that comes twice does no harm, one that is lost costs TCP a fifth of a second.
        """
        first, second = self.index(opens), self.index(shuts)
        self._set_state(first, state, opens)
        both = time.monotonic()
        self._set_state(second, SHUT, shuts)
        return both

    def set_state(self, port: str, state: int) -> None:
        """Open or shut it; shut, the bridge forgets whom it had seen behind it."""
        self._set_state(self.index(port), state, port)

    def state(self, port: str) -> Optional[int]:
        """None when it is no port of a bridge."""
        attributes = self._attributes_of(port)
        info = dict(_attributes(attributes.get(_LINKINFO, b"")))
        slave = dict(_attributes(info.get(_INFO_SLAVE_DATA, b"")))
        return slave[_PORT_STATE][0] if _PORT_STATE in slave else None

    def master(self, port: str) -> str:
        """The name of the bridge that it is a port of, or empty."""
        index = struct.unpack("=I", self._attributes_of(port).get(_MASTER, bytes(4)))[0]
        return next((device.name for device in self.devices() if device.index == index), "")

    def wait_until_it_carries(self, device: str) -> None:
        """A cable that was just plugged in drops what it is given until the kernel has noticed."""
        head = struct.pack(_LINK, 0, 0, self.index(device), 0, 0)
        end = time.monotonic() + _CARRIES_S
        while time.monotonic() < end:
            # Asking for one device makes newer kernels notice at once.
            for _kind, body in self._ask(_GETLINK, _ACK, head, f"look at {device}"):
                if dict(_attributes(body[16:])).get(_OPERSTATE) == _UP:
                    return
            time.sleep(0.005)
        raise OSError(errno.ENETDOWN, f"{device} does not carry")

    def _set_state(self, index: int, state: int, port: str) -> None:
        attributes = _attr(_PORT_STATE, struct.pack("=B", state))
        if state == SHUT:
            attributes += _attr(_PORT_FLUSH, b"")
        head = struct.pack(_LINK, socket.AF_BRIDGE, 0, index, 0, 0)
        body = head + _attr(_PROTINFO | _NESTED, attributes)
        self._ask(_SETLINK, _ACK, body, f"{port}: port state {state}")

    def _attributes_of(self, name: str) -> Dict[int, bytes]:
        head = struct.pack(_LINK, 0, 0, 0, 0, 0)
        for _kind, body in self._ask(_GETLINK, _DUMP, head, "list devices"):
            found = dict(_attributes(body[16:]))
            if found.get(_IFNAME, b"").rstrip(b"\0").decode() == name:
                return found
        return {}


def _attr(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _attributes(data: bytes) -> Iterator[Tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + size]
        at += (size + 3) & ~3
