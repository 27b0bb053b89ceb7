"""An end of the witness above netfilter: it sends and hears as an application of the host does.

Where rules of netfilter carry a fault out, a packet socket would send behind them and hear before
them. Frames have a made-up Ethernet header. Caveat: it hears packets of one protocol, and times
them when they are read.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Any, List, Tuple

from harness.mechanisms.hosts import Host
from harness.mechanisms.packets import ETHERNET, NUMBERS

_SO_ATTACH_FILTER = 26
_BUFFER = 4 << 20
_LDB, _JEQ, _RET = 0x30, 0x15, 0x06
_ETHERNET = bytes(12) + b"\x08\x00"


class RawEnd:
    """At a host, in the namespace of the calling thread; hears what carries this `mark` in its IP
    identification, or everything."""

    def __init__(self, host: Host, protocol: str, mark: int, everything: bool) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, NUMBERS[protocol])
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        if not everything:
            self._listen_to(mark)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._socket.bind((host.address, 0))
        self._socket.setblocking(False)

    def _listen_to(self, mark: int) -> None:
        steps = (_LDB, 0, 0, 4), (_JEQ, 0, 1, mark), (_RET, 0, 0, 0xFFFF), (_RET, 0, 0, 0)
        program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *s) for s in steps))
        address = struct.pack("@HP", len(steps), ctypes.addressof(program))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, address)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, frame: bytes, /) -> int:
        packet = frame[ETHERNET:]
        return self._socket.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))

    def recvmsg(self, size: int, _extra: int, /) -> Tuple[bytes, List[Any], int, Any]:
        return _ETHERNET + self._socket.recv(size), [], 0, None

    def close(self) -> None:
        self._socket.close()
