"""A redirect of outgoing TCP connections by nftables, without the `nft` command.

`Redirect` makes a table that its netlink socket owns: nobody else can change it, and it is gone
with that socket, however the process ends. Connections with our mark are left alone: they are the
proxy's own way to the destination. Caveat: a connection that was open before is not redirected
(nat looks at first packets only); `sockets.destroy` ends those.
"""

from __future__ import annotations

import socket
import struct
from typing import Dict, Sequence, Tuple

from harness.agent.effects import PROBE_PORTS
from harness.mechanisms.messages import (
    ACK,
    CREATE,
    DUMP,
    EXCL,
    Channel,
    attribute,
    attributes,
    message,
    nest,
    number,
    text,
)

#: The proxy's own connections carry this mark (SO_MARK).
MARK = 0x48585052

_NETFILTER, _IPV4 = 12, socket.AF_INET
_TABLES = 10 << 8  # the subsystem of nfnetlink
_NEW_TABLE, _GET_TABLE, _NEW_CHAIN, _NEW_RULE, _GET_RULE, _DELETE_RULE = 0, 1, 3, 6, 7, 8
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_OWNER, _APPEND = 2, 0x800
_LOCAL_OUT, _NAT_PRIORITY = 3, -100
_EQUAL, _UNEQUAL, _AT_LEAST, _AT_MOST = 0, 1, 5, 3
_NETWORK, _TRANSPORT = 1, 2
_MARK_KEY, _PROTOCOL_KEY = 3, 16
_REGISTER = 1
_CHAIN = "out"


class OwnedTable:
    """A table that nobody else can change, and that is gone with its socket."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._channel = Channel(_NETFILTER)

    def begin(self, *chains: Tuple[str, int, int], kind: str = "filter") -> None:
        """With chains (name, hook, priority) of that kind."""
        bodies = [(_NEW_TABLE, EXCL, text(1, self.name) + number(2, _OWNER))]
        for name, hook, priority in chains:
            at = nest(4, number(1, hook), attribute(2, struct.pack(">i", priority)))
            chain = text(1, self.name) + text(3, name) + at + text(7, kind)
            bodies.append((_NEW_CHAIN, EXCL, chain))
        self._batch(bodies)

    def append(self, chain: str, *rules: Sequence[bytes]) -> None:
        """Rules as their expressions, in this order."""
        self._batch([
            (_NEW_RULE, _APPEND, text(1, self.name) + text(2, chain) + nest(4, *expressions))
            for expressions in rules
        ])  # fmt: skip

    def flush(self) -> None:
        """All of its rules go, and packets pass its chains."""
        self._batch([(_DELETE_RULE, 0, text(1, self.name))])

    def close(self) -> None:
        """Closing the owner's socket takes the table away."""
        self._channel.close()

    def counted(self) -> int:
        """Packets that all counters of its rules have seen."""
        answers = self._channel.ask(
            _TABLES | _GET_RULE, DUMP, _family() + text(1, self.name), "list rules"
        )
        return sum(_packets(body) for body in answers)

    def _batch(self, bodies: Sequence[Tuple[int, int, bytes]]) -> None:
        """All or nothing."""
        edge = struct.pack(">BBH", 0, 0, 10)
        parts = [message(_BATCH_BEGIN, 0, self._channel.sequence(), edge)]
        last = 0
        for kind, flags, body in bodies:
            last = self._channel.sequence()
            parts.append(message(_TABLES | kind, CREATE | ACK | flags, last, _family() + body))
        parts.append(message(_BATCH_END, 0, self._channel.sequence(), edge))
        self._channel.tell(b"".join(parts), last, f"nftables table {self.name}")


class Redirect:
    """Connections from here go somewhere else on this host, from `begin` on.

    Open it before the sockets that listen and accept: a process that is killed closes its newest
    descriptors first, so its connections say goodbye while there is still a way back for that.
    """

    def __init__(self, table: str) -> None:
        self._table = OwnedTable(table)

    def begin(self, addresses: Sequence[str], port: int, to_port: int) -> None:
        """Connections to these addresses and port go to `to_port` instead."""
        self._table.begin((_CHAIN, _LOCAL_OUT, _NAT_PRIORITY), kind="nat")
        # Our probes have a rule of their own, not counted.
        pairs = [(address, ours) for address in addresses for ours in (True, False)]
        self._table.append(_CHAIN, *(_expressions(a, port, to_port, ours) for a, ours in pairs))

    def close(self) -> None:
        self._table.close()

    def attempts(self) -> int:
        """First packets of the application's connections so far, answered or not."""
        return self._table.counted()


def tables() -> Tuple[str, ...]:
    """Names of the IPv4 tables in the thread's network namespace."""
    channel = Channel(_NETFILTER)
    try:
        answers = channel.ask(_TABLES | _GET_TABLE, DUMP, _family(), "list tables")
    finally:
        channel.close()
    return tuple(dict(attributes(body[4:]))[1].rstrip(b"\0").decode() for body in answers)


def _family() -> bytes:
    return struct.pack(">BBH", _IPV4, 0, 0)


def _expressions(address: str, port: int, to_port: int, ours: bool) -> Tuple[bytes, ...]:
    """Destination ADDRESS:PORT, TCP, not marked, perhaps from a probe: redirect."""
    probes = (
        payload(_TRANSPORT, 0, 2),
        compare(_AT_LEAST, struct.pack(">H", PROBE_PORTS[0])),
        compare(_AT_MOST, struct.pack(">H", PROBE_PORTS[-1])),
    )
    to = attribute(1, struct.pack(">H", to_port))
    return (
        payload(_NETWORK, 16, 4), compare(_EQUAL, socket.inet_aton(address)),
        meta(_PROTOCOL_KEY), compare(_EQUAL, bytes([socket.IPPROTO_TCP])),
        payload(_TRANSPORT, 2, 2), compare(_EQUAL, struct.pack(">H", port)),
        *(probes if ours else ()),
        meta(_MARK_KEY), compare(_UNEQUAL, struct.pack("=I", MARK)),
        *(() if ours else (expression("counter", b""),)),
        expression("immediate", number(1, _REGISTER) + nest(2, to)),
        expression("redir", number(1, _REGISTER)),
    )  # fmt: skip


# ---------------------------------------------------------------- expressions


def expression(name: str, data: bytes) -> bytes:
    return nest(1, text(1, name), nest(2, data))


def payload(base: int, offset: int, length: int) -> bytes:
    into = number(1, _REGISTER) + number(2, base) + number(3, offset) + number(4, length)
    return expression("payload", into)


def meta(key: int) -> bytes:
    return expression("meta", number(1, _REGISTER) + number(2, key))


def compare(how: int, value: bytes) -> bytes:
    data = number(1, _REGISTER) + number(2, how) + nest(3, attribute(1, value))
    return expression("cmp", data)


def _packets(rule: bytes) -> int:
    """What the rule's counter says; 0 where it has none."""
    expressions = dict(attributes(rule[4:])).get(4, b"")
    for _, element in attributes(expressions):
        parts: Dict[int, bytes] = dict(attributes(element))
        if parts[1].rstrip(b"\0") == b"counter":
            return int(struct.unpack(">Q", dict(attributes(parts[2]))[2])[0])
    return 0
