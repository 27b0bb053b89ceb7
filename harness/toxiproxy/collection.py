"""All proxies by name. One change at a time: what a change sees stays so until it is done."""

from __future__ import annotations

import asyncio
import random

from harness.toxiproxy.errors import no_proxy, proxy_exists
from harness.toxiproxy.proxies import Ended, Proxy


class Collection:
    """All proxies by name. `ended` hears of each connection when it is over."""

    def __init__(self, ended: Ended, seed: int | None = None) -> None:
        self._proxies: dict[str, Proxy] = {}
        self._ended = ended
        self._chance = random.Random(seed)
        self._turn = asyncio.Lock()

    def all(self) -> dict[str, Proxy]:
        """In the order of their names' bytes."""
        names = sorted(self._proxies, key=lambda name: name.encode())
        return {name: self._proxies[name] for name in names}

    def get(self, name: str) -> Proxy:
        """Raises `ApiError` (404)."""
        if name not in self._proxies:
            raise no_proxy()
        return self._proxies[name]

    def new(self, name: str, listen: str, upstream: str, more: tuple[str, ...] = ()) -> Proxy:
        return Proxy(name, listen, upstream, self._ended, self._chance, more)

    async def add(self, proxy: Proxy, enabled: bool) -> None:
        """Raises `ApiError` (409, 500)."""
        async with self._turn:
            if proxy.name in self._proxies:
                raise proxy_exists()
            if enabled:
                await proxy.start()
            self._proxies[proxy.name] = proxy

    async def replace(self, proxy: Proxy, enabled: bool) -> Proxy:
        """The one that is there already stays if it has the same addresses, whether enabled or not.
        Raises `ApiError` (500)."""
        async with self._turn:
            there = self._proxies.get(proxy.name)
            if there is not None:
                if not await there.differs(proxy.listen, proxy.upstream):
                    return there
                there.stop()
                await there.settled()
            if enabled:
                await proxy.start()
            self._proxies[proxy.name] = proxy
            return proxy

    async def remove(self, name: str) -> None:
        """Raises `ApiError` (404)."""
        async with self._turn:
            proxy = self.get(name)
            proxy.stop()
            await proxy.settled()
            del self._proxies[name]

    async def update(self, name: str, listen: str, upstream: str, enabled: bool) -> Proxy:
        """Raises `ApiError` (404, 500)."""
        async with self._turn:
            proxy = self.get(name)
            await proxy.update(listen, upstream, enabled)
            return proxy

    async def reset(self) -> None:
        """Every proxy is started, and loses its toxics. Raises `ApiError` (500)."""
        async with self._turn:
            for proxy in self.all().values():
                await proxy.start()
                proxy.toxics.clear()

    async def listen_too(self, name: str, listen: str) -> Proxy:
        """Raises `ApiError` (404, 500)."""
        async with self._turn:
            proxy = self.get(name)
            await proxy.listen_too(listen)
            return proxy

    async def listen_less(self, name: str, listen: str) -> None:
        """Raises `ApiError` (404)."""
        async with self._turn:
            self.get(name).listen_less(listen)

    async def close(self) -> None:
        """Stop them all, and wait until their connections are closed in order."""
        for proxy in self._proxies.values():
            proxy.stop()
        for proxy in self._proxies.values():
            await proxy.settled()
