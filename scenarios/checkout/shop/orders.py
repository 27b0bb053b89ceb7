"""Orders in PostgreSQL: a pool, a timeout on every call, and one payment for each key."""

import asyncio
import os
import socket
from contextlib import suppress

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shop.breaker import Breaker
from shop.settings import Settings

PAY = """
WITH made AS (
  INSERT INTO orders (key, sku, quantity, cents)
  SELECT %(key)s, sku, %(quantity)s, cents * %(quantity)s FROM products WHERE sku = %(sku)s
  ON CONFLICT (key) DO NOTHING RETURNING id, cents
)
SELECT id, cents FROM made UNION ALL SELECT id, cents FROM orders WHERE key = %(key)s LIMIT 1
"""

ORDER = "SELECT id, sku, quantity, cents FROM orders WHERE id = %(id)s"
PRODUCTS = "SELECT sku, name, cents FROM products ORDER BY sku"


class Unavailable(Exception):
    """The database did not answer."""


class Orders:
    def __init__(self, settings: Settings) -> None:
        host, _, port = settings.database.partition(":")
        self._timeout = settings.database_timeout
        self._breaker = Breaker("database", rest=settings.breaker_rest)
        self._pool = AsyncConnectionPool(
            f"host={host} port={port} user=shop dbname=postgres connect_timeout=2"
            " tcp_user_timeout=1500",  # what nobody acknowledged so long is sent to a dead line
            min_size=settings.pool_size, timeout=self._timeout, open=False,
            reconnect_timeout=30, num_workers=4,
            kwargs={"autocommit": True, "row_factory": dict_row},
        )  # fmt: skip

    async def open(self) -> None:
        await self._pool.open(wait=True, timeout=10)

    async def close(self) -> None:
        await self._pool.close(timeout=1)

    async def pay(self, key: str, sku: int, quantity: int) -> dict:
        given = {"key": key, "sku": sku, "quantity": quantity}
        return (await self._ask(PAY, given))[0]

    async def read(self, id: int) -> dict | None:
        rows = await self._ask(ORDER, {"id": id})
        return rows[0] if rows else None

    async def products(self) -> list[dict]:
        return await self._ask(PRODUCTS, {})

    async def _ask(self, sql: str, given: dict) -> list[dict]:
        self._breaker.check()
        try:
            async with asyncio.timeout(self._timeout):
                rows = await self._on_a_live_connection(sql, given)
        except (OperationalError, TimeoutError) as error:
            self._breaker.failed()
            raise Unavailable(f"database: {type(error).__name__}") from error
        self._breaker.succeeded()
        return rows

    async def _on_a_live_connection(self, sql: str, given: dict) -> list[dict]:
        """A restarted database leaves a pool of dead connections; each says so when it is used."""
        for _ in range(self._pool.max_size):
            try:
                return await self._query(sql, given)
            except PoolTimeout:
                raise
            except OperationalError:
                continue
        return await self._query(sql, given)

    async def _query(self, sql: str, given: dict) -> list[dict]:
        connection: AsyncConnection
        async with self._pool.connection() as connection:
            asking = asyncio.create_task(connection.execute(sql, given))
            try:
                cursor = await asyncio.shield(asking)
            except asyncio.CancelledError:
                # Cancelled, psycopg would ask the server to cancel, and wait for that up to ten
                # seconds: a timeout that is none when the server is what does not answer.
                _hang_up(connection)
                await asyncio.gather(asking, return_exceptions=True)
                raise
            return await cursor.fetchall()


def _hang_up(connection: AsyncConnection) -> None:
    """Whoever waits for an answer finds the end of the connection. It must not be closed: its
    descriptor's number would be another's while the loop still listens to it."""
    gone = (OSError, OperationalError)
    with suppress(*gone), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)
