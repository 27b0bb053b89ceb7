"""Toxics on a Toxiproxy that somebody runs already: by desired state, through its API.

The receipt holds a mark, and every name that we give begins with it. Taking back is: remove what
bears the mark, and make the proxy as it was; a fresh process can do it with nothing but that. What
others put on the proxy stays there.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time

from toxiproxy.proxy import Proxy

from harness.agent.effects import (
    EdgeSeen,
    Effect,
    Exercised,
    InForce,
    Snapshot,
    ToxiproxyEdge,
)
from harness.agent.protocol import TargetGone
from harness.substrates.attached.toxiproxy_api import Server, ToxiproxyError, Unanswered
from harness.substrates.attached.toxiproxy_back import NONE, OTHERS, OURS, name_of, unmarked
from harness.substrates.attached.toxiproxy_hold import Hold

PREFIX = "harness-"
_SETTLE_S = 0.2  # an answer that never came may belong to a request that is still carried out
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_ANY = ("", "0.0.0.0", "::", "[::]")  # noqa: S104  what a server may say of itself


class Toxiproxy:
    """The mechanism for `ToxiproxyEdge`."""

    name = "toxiproxy"

    def __init__(self) -> None:
        self._servers: dict[ToxiproxyEdge, Server] = {}
        self._holds: dict[ToxiproxyEdge, Hold] = {}
        self._ended: dict[str, float] = {}
        self._turns: dict[ToxiproxyEdge, threading.Lock] = {}

    def works(self, edge: ToxiproxyEdge | None = None, effects: tuple[Effect, ...] = ()) -> str:
        return ""

    def snapshot(self, edge: ToxiproxyEdge) -> Snapshot:
        server = self._server(edge)
        found = proxy_at(server, edge)
        settings = {"proxy": NONE, "enabled": "", "listen": "", "upstream": ""}
        settings |= {OURS: NONE, OTHERS: NONE}
        if found is not None:
            names = sorted(t.name for t in server.toxics(found.name))
            settings = {
                "proxy": found.name,
                "enabled": str(found.enabled).lower(),
                "listen": found.listen,
                "upstream": found.upstream,
                OURS: ", ".join(n for n in names if n.startswith(PREFIX)) or NONE,
                OTHERS: ", ".join(n for n in names if not n.startswith(PREFIX)) or NONE,
            }
        return Snapshot(self.name, settings, f"{PREFIX}{secrets.token_hex(4)}")

    def make(self, edge: ToxiproxyEdge, snapshot: Snapshot, effects: tuple[InForce, ...]) -> None:
        held = edge in self._holds
        with self._turns.setdefault(edge, threading.Lock()):
            if not effects:
                return self._take_back(edge, snapshot)
            try:
                self._carry(edge, snapshot, effects)
            except Unanswered:
                if not held:
                    raise
                self._take_back(edge, snapshot)
                self._carry(edge, snapshot, effects)

    def measure(self, edge: ToxiproxyEdge, effect: Effect | None, for_s: float) -> EdgeSeen:
        """Raises `TargetGone` where nothing of ours is on the proxy, by its own word, and the
        dependency itself takes no connections: then nobody can see more than that."""
        hold = self._holds.get(edge)
        if hold is None:
            return _plainly(edge.listen, for_s)
        seen = hold.look(effect, for_s)
        if seen.outcome != "ok" and hold.clean() and _plainly(edge.upstream, 1.0).outcome != "ok":
            raise TargetGone(
                f"{edge.target}: {edge.upstream} takes no connections, and no toxic of ours is on "
                f"{edge.server}"
            )
        return seen

    def exercised(self, edge: ToxiproxyEdge, effect_id: str) -> Exercised:
        hold = self._holds.get(edge)
        now = hold.met().get(effect_id, 0.0) if hold else 0.0
        return Exercised(now + self._ended.get(effect_id, 0.0), "connections")

    # ------------------------------------------------------------ helpers

    def _server(self, edge: ToxiproxyEdge) -> Server:
        return self._servers.setdefault(edge, server_of(edge))

    def _carry(self, edge: ToxiproxyEdge, snapshot: Snapshot, effects: tuple[InForce, ...]) -> None:
        if snapshot.settings[OURS] != NONE:
            raise ToxiproxyError(
                f"{edge.server} has toxics of another run of harness on {edge.listen}: "
                f"{snapshot.settings[OURS]} (harness recover --all, where it ran)"
            )
        if edge not in self._holds:
            self._holds[edge] = self._begin(edge, snapshot)
        self._holds[edge].carry(effects)

    def _begin(self, edge: ToxiproxyEdge, snapshot: Snapshot) -> Hold:
        server, name = self._server(edge), name_of(edge, snapshot)
        if snapshot.settings["proxy"] == NONE and server.proxy(name) is None:
            server.create(name, edge.listen, edge.upstream)
        return Hold(edge, server, name, snapshot.mark)

    def _take_back(self, edge: ToxiproxyEdge, snapshot: Snapshot) -> None:
        hold = self._holds.pop(edge, None)
        if hold is not None:
            hold.close()
            for id, count in hold.met().items():
                self._ended[id] = self._ended.get(id, 0.0) + count
        server, name = self._server(edge), name_of(edge, snapshot)
        if unmarked(server, name, snapshot) or hold is None:
            time.sleep(_SETTLE_S)
            unmarked(server, name, snapshot)


def server_of(edge: ToxiproxyEdge) -> Server:
    return Server(edge.server)


def proxy_at(server: Server, edge: ToxiproxyEdge) -> Proxy | None:
    """The proxy that listens where the callers connect to. Raises when it leads elsewhere."""
    for proxy in server.proxies():
        if _same(proxy.listen, edge.listen, *_ANY):
            if not _same(proxy.upstream, edge.upstream):
                raise ToxiproxyError(
                    f"the proxy {proxy.name} at {edge.listen} leads to {proxy.upstream}, the "
                    f"system says {edge.upstream}"
                )
            return proxy
    return None


def foreign_toxics(server: Server, edge: ToxiproxyEdge) -> tuple[str, ...]:
    """What others have put on the proxy, in words."""
    found = proxy_at(server, edge)
    toxics = server.toxics(found.name) if found else ()
    return tuple(f"{t.name} ({t.type}, {t.stream})" for t in toxics)


def _same(one: str, other: str, *also: str) -> bool:
    """Whether two addresses are one; `also` are hosts that stand for any."""
    (host, _, port), (host_2, _, port_2) = one.rpartition(":"), other.rpartition(":")
    alike = host == host_2 or host in also or {host, host_2} <= set(_LOOPBACK)
    return port == port_2 and alike


def _plainly(address: str, for_s: float) -> EdgeSeen:
    """Whether somebody takes connections there. Nothing is sent."""
    host, _, port = address.rpartition(":")
    begin, outcome = time.monotonic(), "ok"
    try:
        socket.create_connection((host, int(port)), for_s or 1.0).close()
    except ConnectionRefusedError:
        outcome = "refused"
    except OSError:
        outcome = "timeout"
    end = time.monotonic()
    return EdgeSeen(begin, end, outcome, end - begin)
