"""Free ports of this machine, and nobody else's among the worlds on it.

A service binds its port itself, and again when it is restarted, so the port cannot be held open for
it. Those that are taken lie below the range that the kernel gives out, which keeps passers-by away;
other worlds are kept away by a name in the kernel that ends with us.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator
from pathlib import Path

from harness.errors import NotReady

_LOW, _HIGH = 20000, 32768
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@contextlib.contextmanager
def reserved(count: int) -> Iterator[list[int]]:
    """So many ports for as long as the block lasts. Raises NotReady."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        candidates = range(_LOW, _end())
        for port in random.sample(candidates, len(candidates)):
            if len(found) == count:
                break
            if (name := _named(port)) is not None:
                held.enter_context(name)
                if _is_free(port):
                    found.append(port)
        if len(found) < count:
            raise NotReady(f"{count} free ports are needed from {_LOW} on, {len(found)} were found")
        yield found


def _end() -> int:
    """Where the kernel's own range begins, unless that leaves no room."""
    try:
        lowest = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        return _HIGH
    return lowest if lowest > _LOW + 1000 else _HIGH


def _named(port: int) -> socket.socket | None:
    name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        name.bind(f"\0harness-port-{port}")
    except OSError:
        name.close()
        return None
    return name


def _is_free(port: int) -> bool:
    """On every address: services may listen on all of them."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
