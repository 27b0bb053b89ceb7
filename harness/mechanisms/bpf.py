"""Small programs that the kernel runs for each packet of a network card, without a compiler.

Two of them: one catches packets and hands them to a tap, the other brings in what is written into
that tap; what is sent on carries a mark by which the first lets it pass. Attached by TCX links
(Linux 6.6), which are file descriptors: when their process ends, however it ends, the kernel takes
the programs off.
Caveat: a packet that went through a tap has lost its application's mark and priority.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
from typing import Dict, FrozenSet, List, Optional, Tuple

INGRESS, EGRESS = 46, 47
#: What is sent on from a tap carries this mark until it leaves.
MARK = 0x48585450

_PROG_LOAD, _LINK_CREATE, _LINK_UPDATE = 5, 28, 29
_SCHED_CLS, _FIRST = 3, 8
_SYSCALL = {"x86_64": 321, "aarch64": 280}
#: Places in struct __sk_buff; where an IPv4 address stands in a frame.
_SKB_MARK, _SKB_PROTOCOL = 8, 16
_SOURCE, _DESTINATION = 26, 30
_LOAD_BYTES, _REDIRECT, _CHANGE_TYPE = 26, 23, 32
_NEXT, _TO_HOST, _REDIRECT_INGRESS = -1, 0, 1
_LOG = 1 << 14

_libc = ctypes.CDLL(None, use_errno=True)


def catching(tap: int, forth: bool, peers: Optional[FrozenSet[bytes]]) -> bytes:
    """IPv4 to (`forth`) or from these peers (None: everybody) goes to that tap, the rest passes."""
    code = _Code()
    code.add(0xBF, 6, 1)  # r6: the packet
    code.add(0x61, 1, 6, _SKB_MARK)
    code.jump(0x56, 1, MARK, "foreign")
    code.add(0xB7, 1)
    code.add(0x63, 6, 1, _SKB_MARK)  # ours: it leaves without a mark
    code.end(_NEXT)
    code.label("foreign")
    code.add(0x61, 1, 6, _SKB_PROTOCOL)
    code.jump(0x56, 1, socket.htons(0x0800), "pass")
    if peers is not None:
        _load_address(code, _DESTINATION if forth else _SOURCE)
        for peer in sorted(peers):
            code.jump(0x16, 1, _signed(peer), "catch")
        code.label("pass")
        code.end(_NEXT)
    code.label("catch")
    code.add(0xB7, 1, immediate=tap)
    code.add(0xB7, 2)
    code.call(_REDIRECT)
    code.exit()
    if peers is None:
        code.label("pass")
        code.end(_NEXT)
    return code.done()


def returning(card: int) -> bytes:
    """Everything comes in on that card."""
    code = _Code()
    code.add(0xB4, 2, immediate=MARK)
    code.add(0x63, 1, 2, _SKB_MARK)
    code.add(0xB7, 2, immediate=_TO_HOST)
    code.add(0xB7, 3)
    code.call(_CHANGE_TYPE)
    code.add(0xB7, 1, immediate=card)
    code.add(0xB7, 2, immediate=_REDIRECT_INGRESS)
    code.call(_REDIRECT)
    code.exit()
    return code.done()


def passing() -> bytes:
    """Does nothing: to see whether programs can be attached at all."""
    code = _Code()
    code.end(_NEXT)
    return code.done()


class Attached:
    """A program on a card, until it is closed or its process ends. Raises OSError."""

    def __init__(self, code: bytes, card: int, at: int) -> None:
        program = _load(code)
        try:
            self._link = _bpf(_LINK_CREATE, struct.pack("<IIII", program, card, at, _FIRST))
        finally:
            os.close(program)

    def replace(self, code: bytes) -> None:
        """At once: every packet meets the old program or the new one."""
        program = _load(code)
        try:
            _bpf(_LINK_UPDATE, struct.pack("<IIII", self._link, program, 0, 0))
        finally:
            os.close(program)

    def close(self) -> None:
        os.close(self._link)


# ---------------------------------------------------------------- instructions


class _Code:
    """Instructions (operation, destination, source, offset, immediate) and where labels stand."""

    def __init__(self) -> None:
        self._instructions: List[Tuple[int, int, int, int, int]] = []
        self._jumps: List[Tuple[int, str]] = []
        self._labels: Dict[str, int] = {}

    def add(
        self, operation: int, to: int = 0, source: int = 0, offset: int = 0, immediate: int = 0
    ) -> None:
        self._instructions.append((operation, to, source, offset, immediate))

    def jump(self, operation: int, register: int, value: int, label: str) -> None:
        self._jumps.append((len(self._instructions), label))
        self.add(operation, register, immediate=value)

    def call(self, helper: int) -> None:
        self.add(0x85, immediate=helper)

    def exit(self) -> None:
        self.add(0x95)

    def end(self, value: int) -> None:
        self.add(0xB4, 0, immediate=value)
        self.exit()

    def label(self, name: str) -> None:
        self._labels[name] = len(self._instructions)

    def done(self) -> bytes:
        found = list(self._instructions)
        for at, label in self._jumps:
            operation, to, source, _, value = found[at]
            found[at] = (operation, to, source, self._labels[label] - at - 1, value)
        return b"".join(
            struct.pack("<BBhi", operation, source << 4 | to, offset, value)
            for operation, to, source, offset, value in found
        )


def _load_address(code: _Code, at: int) -> None:
    """Into r1, or pass."""
    code.add(0xBF, 1, 6)
    code.add(0xB7, 2, immediate=at)
    code.add(0xBF, 3, 10)
    code.add(0x07, 3, immediate=-8)
    code.add(0xB7, 4, immediate=4)
    code.call(_LOAD_BYTES)
    code.jump(0x55, 0, 0, "pass")
    code.add(0x61, 1, 10, -8)


def _signed(address: bytes) -> int:
    return int(struct.unpack("<i", address)[0])


# ---------------------------------------------------------------- the system call


def _load(code: bytes) -> int:
    licence, instructions = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(code)
    log = ctypes.create_string_buffer(_LOG)
    places = [ctypes.addressof(each) for each in (instructions, licence, log)]
    attributes = struct.pack(
        "<IIQQIIQ", _SCHED_CLS, len(code) // 8, places[0], places[1], 1, _LOG, places[2]
    )
    try:
        return _bpf(_PROG_LOAD, attributes)
    except OSError as error:
        said = log.value.decode(errors="replace").strip().splitlines()[-1:]
        error.strerror = " ".join([str(error.strerror), *said])
        raise


def _bpf(command: int, attributes: bytes) -> int:
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(38, f"no BPF on {platform.machine()} yet")
    held = ctypes.create_string_buffer(attributes, 128)
    found = int(_libc.syscall(number, command, held, 128))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found
