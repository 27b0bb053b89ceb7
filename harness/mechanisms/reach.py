"""How long a server takes: until it is connected, and until the first byte of its answer.

The question is HEAD, which changes nothing; any answer will do, also one that refuses it.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Tuple

#: Seconds from the beginning until the connection stood, and until the first byte came.
Reached = Tuple[float, float]


def reach(
    address: str, port: int, host: str, path: str, within_s: float, *, secure: bool = False
) -> Reached:
    """`host` is what the server is called. Raises OSError, also when it only hangs up."""
    head = f"HEAD {path or '/'} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    begun = time.monotonic()
    with socket.create_connection((address, port), within_s) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected = time.monotonic()
        with _dressed(plain, host, secure) as line:
            line.sendall(head.encode())
            if not line.recv(1):
                raise ConnectionResetError("it hung up without an answer")
            return connected - begun, time.monotonic() - begun


def _dressed(plain: socket.socket, host: str, secure: bool) -> socket.socket:
    """Whose certificate it shows is no question of time."""
    if not secure:
        return plain
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=host.partition(":")[0])
