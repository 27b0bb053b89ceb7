"""Proxies for UDP: datagrams are lost and come late, each way by itself.

A client is an address and port; for each the upstream sees a port of its own, for as long as either
speaks. Datagrams with jitter may overtake each other, as on a real line. While any come, the
upstream's name is looked up again and again: where it means another address, all go on to there.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from harness.agent.effects import Curve
from harness.toxiproxy import addresses
from harness.toxiproxy.errors import ApiError, no_proxy, proxy_exists

_MOST_FLOWS = 1000
_MOST_WAITING = 10_000  # datagrams of one proxy; more are lost, as in a full router
_IDLE_S = 60.0
_MEANS_S = 1.0  # so long a name means what it meant
_NONE = Curve.constant(0)

Peer = tuple[Any, ...]


@dataclass
class Way:
    """Done to datagrams one way. `latency` and `jitter` in ms, `loss` a share; curves count from
    `since`. `lost` and `late` are datagrams that met it."""

    latency: Curve = _NONE
    jitter: Curve = _NONE
    loss: Curve = _NONE
    since: float = field(default_factory=time.monotonic)
    passed: int = 0
    lost: int = 0
    late: int = 0

    def fate(self, chance: random.Random) -> float | None:
        """Seconds that the next datagram waits; none when it is lost."""
        age = time.monotonic() - self.since
        if chance.random() < self.loss.at(age):
            self.lost += 1
            return None
        spread = self.jitter.at(age)
        wait = max(0.0, self.latency.at(age) + chance.uniform(-spread, spread)) / 1000
        self.late += wait > 0
        self.passed += 1
        return wait

    def shown(self) -> dict[str, Any]:
        age = time.monotonic() - self.since
        now = {name: getattr(self, name).at(age) for name in ("latency", "jitter", "loss")}
        return {**now, "passed": self.passed, "lost": self.lost, "late": self.late}


class UdpProxy(asyncio.DatagramProtocol):
    """`goal`: what the upstream means when it begins."""

    def __init__(
        self, name: str, upstream: str, goal: addresses.Address, chance: random.Random,
        forth: Way, back: Way,
    ) -> None:  # fmt: skip
        self.name, self.forth, self.back = name, forth, back
        self.listen = ""
        self._upstream, self._goal, self._chance = upstream, goal, chance
        self._known_at = time.monotonic()
        self._flows: dict[Peer, _Flow] = {}
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.listen = addresses.printed(transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, peer: Peer) -> None:
        self._flow(peer).heard_at = time.monotonic()
        self._pass(self.forth, lambda: self._flow(peer).send(data))
        if time.monotonic() - self._known_at > _MEANS_S:
            self._known_at = time.monotonic()
            self._start(self._look_up())

    def answered(self, peer: Peer, data: bytes) -> None:
        self._pass(self.back, lambda: self._transport.sendto(data, peer))

    def change(self, forth: Way | None = None, back: Way | None = None) -> None:
        """Datagrams that are waiting already are not changed."""
        self.forth, self.back = forth or self.forth, back or self.back

    def shown(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": addresses.printed(self._goal),
            "forth": self.forth.shown(),
            "back": self.back.shown(),
            "clients": len(self._flows),
        }

    def close(self) -> None:
        self._transport.close()
        self._drop(tuple(self._flows))
        for task in self._tasks:
            task.cancel()

    async def _look_up(self) -> None:
        """What the name means now; one that means nothing means what it meant."""
        with contextlib.suppress(ApiError):
            goal = (await addresses.resolved(*addresses.split(self._upstream)))[0]
            if goal != self._goal:
                self._goal = goal
                self._drop(tuple(self._flows))

    def _start(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _flow(self, peer: Peer) -> _Flow:
        """The last to have spoken stands last."""
        flow = self._flows.pop(peer, None) or self._begin(peer)
        self._flows[peer] = flow
        return flow

    def _pass(self, way: Way, go: Any) -> None:
        wait = way.fate(self._chance)
        if wait is None:
            return
        if wait == 0:
            go()
        elif self._waiting < _MOST_WAITING:
            self._waiting += 1
            asyncio.get_running_loop().call_later(wait, self._late, go)
        else:
            way.lost += 1

    def _late(self, go: Any) -> None:
        self._waiting -= 1
        if not self._transport.is_closing():
            go()

    def _begin(self, peer: Peer) -> _Flow:
        now = time.monotonic()
        idle = [p for p, flow in self._flows.items() if now - flow.heard_at > _IDLE_S]
        if len(self._flows) - len(idle) >= _MOST_FLOWS:
            idle.append(next(iter(self._flows)))
        self._drop(idle)
        return _Flow(self, peer, self._goal)

    def _drop(self, peers: Iterable[Peer]) -> None:
        for peer in peers:
            flow = self._flows.pop(peer, None)
            if flow is not None:
                flow.close()


class _Flow:
    """One client's socket to the upstream."""

    def __init__(self, proxy: UdpProxy, peer: Peer, goal: addresses.Address) -> None:
        self.heard_at = time.monotonic()
        self._proxy, self._peer = proxy, peer
        family = socket.AF_INET6 if ":" in goal[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(goal)
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def send(self, data: bytes) -> None:
        if self._socket.fileno() >= 0:
            _quietly(lambda: self._socket.send(data))

    def _readable(self) -> None:
        data = _quietly(lambda: self._socket.recv(1 << 16))
        if data is not None:
            self.heard_at = time.monotonic()
            self._proxy.answered(self._peer, data)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


def _quietly(act: Any) -> Any:
    """A datagram that cannot go is lost: nobody is told, as on a real line."""
    try:
        return act()
    except OSError:
        return None


class Flows:
    """All UDP proxies by name."""

    def __init__(self, chance: random.Random) -> None:
        self._proxies: dict[str, UdpProxy] = {}
        self._chance = chance

    def all(self) -> list[UdpProxy]:
        return [self._proxies[name] for name in sorted(self._proxies)]

    def get(self, name: str) -> UdpProxy:
        """Raises `ApiError` (404)."""
        if name not in self._proxies:
            raise no_proxy()
        return self._proxies[name]

    async def add(
        self,
        name: str,
        listen: str,
        upstream: str,
        forth: Way | None = None,
        back: Way | None = None,
    ) -> UdpProxy:
        """Raises `ApiError` (409, 500)."""
        goal = (await addresses.resolved(*addresses.split(upstream)))[0]
        found = (await addresses.resolved(*addresses.split(listen)))[0]
        if name in self._proxies:
            raise proxy_exists()
        ways = (forth or Way(), back or Way())
        made = UdpProxy(name, upstream, goal, self._chance, *ways)
        try:
            bound = addresses.bound(found, socket.SOCK_DGRAM)
        except OSError as error:
            raise ApiError(f"listen udp {listen}: {error.strerror}", 500) from None
        self._proxies[name] = made
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, sock=bound)
        return made

    def remove(self, name: str) -> None:
        """Raises `ApiError` (404)."""
        self.get(name).close()
        del self._proxies[name]

    def close(self) -> None:
        for name in tuple(self._proxies):
            self.remove(name)
