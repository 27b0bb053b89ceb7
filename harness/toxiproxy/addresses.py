"""Addresses as Go reads, resolves and prints them: `host:port`, `[::1]:port`, `:port`."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket

from harness.toxiproxy.errors import ApiError

BACKLOG = 4096
Address = tuple[str, int]
_NUMBER = re.compile(r"([+-]?)([0-9]*)")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def split(address: str) -> Address:
    """Host and port. Raises `ApiError` (500, as Toxiproxy does)."""
    if not address:
        return "", 0
    host, colon, port = address.rpartition(":")
    if not colon or (host.endswith("]") and not host.startswith("[")):
        raise ApiError(f"address {address}: missing port in address", 500)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ApiError(f"address {address}: too many colons in address", 500)
    mapped = host.lower().removeprefix("::ffff:")
    return mapped if _is_literal(mapped, 4) else host, _port(port)


def _port(port: str) -> int:
    if number := _NUMBER.fullmatch(port):
        if not 0 <= (value := int(f"{number[1]}{number[2] or 0}")) <= 65535:
            raise ApiError(f"address {port}: invalid port", 500)
        return value
    try:
        return socket.getservbyname(port.lower(), "tcp")
    except (OSError, ValueError):
        raise ApiError(f"lookup tcp/{port}: unknown port", 500) from None


def printed(address: Address) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def resolved(host: str, port: int) -> tuple[Address, ...]:
    """All that the name means now, IPv4 first. Raises `ApiError` (500)."""
    if not host or _is_literal(host):
        return ((host, port),)
    if not _NAME.fullmatch(host) or _is_number(host):
        raise ApiError(f"lookup {host}: no such host", 500)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ApiError(f"lookup {host}: {error}", 500) from None
    addresses = dict.fromkeys((str(a[4][0]), port) for a in found)
    return tuple(sorted(addresses, key=lambda address: ":" in address[0]))


def _is_literal(host: str, version: int = 0) -> bool:
    try:
        return version in (0, ipaddress.ip_address(host).version)
    except ValueError:
        return False


def _is_number(host: str) -> bool:
    """`127.1`, `0x7f000001`: addresses to the C library, and to Go the names of nobody."""
    try:
        return bool(socket.inet_aton(host))
    except OSError:
        return False


def bound(address: Address, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket at the address; everybody's address means IPv4 and IPv6. Raises OSError."""
    host, port = address
    anybody = host in ("", "0.0.0.0", "::")  # noqa: S104  what the caller asked for
    if anybody and socket.has_dualstack_ipv6():
        host = "::"
    elif anybody:
        host = "0.0.0.0"  # noqa: S104
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        made.setblocking(False)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if anybody and host == "::":
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, port))
        if kind == socket.SOCK_STREAM:
            made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
