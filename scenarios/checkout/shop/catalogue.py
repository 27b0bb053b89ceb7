"""Products, from the cache if it answers in time, else from the database."""

import asyncio
import json

from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from shop.breaker import Breaker, Open
from shop.orders import Orders
from shop.settings import Settings

KEY = "catalogue"
FRESH_S = 2


class Catalogue:
    def __init__(self, settings: Settings, orders: Orders) -> None:
        host, _, port = settings.cache.partition(":")
        self._cache = Valkey(
            host=host, port=int(port), socket_connect_timeout=settings.cache_timeout,
            max_connections=64,
        )  # fmt: skip
        self._timeout = settings.cache_timeout
        self._orders = orders
        self._breaker = Breaker("cache", rest=1.0)
        self._reading: asyncio.Task | None = None

    async def all(self) -> list[dict]:
        cached = await self._try(self._cache.get(KEY))
        if cached is not None:
            return json.loads(cached)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._done)
        return await asyncio.shield(self._reading)

    async def _read(self) -> list[dict]:
        """One question to the database, however many wait for the answer."""
        products = await self._orders.products()
        await self._try(self._cache.set(KEY, json.dumps(products), ex=FRESH_S))
        return products

    def _done(self, reading: asyncio.Task) -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # whoever waits has it; nobody waiting is no error

    async def one(self, sku: int) -> dict:
        products = await self.all()
        await self._try(self._cache.hincrby("popular", str(sku), 1))
        return next(product for product in products if product["sku"] == sku)

    async def close(self) -> None:
        await self._cache.aclose()

    async def _try(self, call):
        """The cache's answer, or None: a shop that cannot reach its cache still sells."""
        try:
            self._breaker.check()
            answer = await asyncio.wait_for(call, self._timeout)
        except Open:
            call.close()
            return None
        except (ValkeyError, OSError, TimeoutError):
            self._breaker.failed()
            return None
        self._breaker.succeeded()
        return answer
