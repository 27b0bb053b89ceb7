"""Runs the server until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import UsageError
from harness.mechanisms.proxy_carrier import many_descriptors
from harness.toxiproxy import addresses
from harness.toxiproxy.api import Api, populate
from harness.toxiproxy.collection import Collection
from harness.toxiproxy.errors import ApiError
from harness.toxiproxy.metrics import Metrics
from harness.toxiproxy.server import Clients
from harness.toxiproxy.udp import Flows
from harness.toxiproxy.v1 import V1


@dataclass(frozen=True)
class Options:
    """`config` is the text of a list of proxies. `seed` draws all that is left to chance."""

    listen: str
    config: bytes = b"[]"
    seed: int | None = None
    proxy_metrics: bool = False
    runtime_metrics: bool = False


async def serve(options: Options, ready: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM. `ready` hears the address. Raises `UsageError`."""
    many_descriptors()
    metrics = Metrics(options.proxy_metrics, options.runtime_metrics)
    proxies = Collection(metrics.count, options.seed)
    api, flows = Api(proxies, metrics), Flows(random.Random(options.seed))
    api.routes += V1(proxies, flows).routes
    clients = Clients(api.answer)
    try:
        listener = await _listener(options.listen)
        made, error = await populate(proxies, options.config)
        if error is not None:
            raise UsageError(f"--config, after {len(made)} proxies: {error.message}")
        server = await asyncio.get_running_loop().create_server(
            clients.client, sock=listener, backlog=addresses.BACKLOG
        )
        async with server:
            ready(addresses.printed(listener.getsockname()))
            await _told_to_stop()
    finally:
        clients.close()
        flows.close()
        await proxies.close()


async def _listener(listen: str) -> socket.socket:
    try:
        found = (await addresses.resolved(*addresses.split(listen)))[0]
        return addresses.bound(found)
    except ApiError as error:
        raise UsageError(f"--listen {listen}: {error.message}") from None
    except OSError as error:
        raise UsageError(f"--listen {listen}: {error.strerror}") from None


async def _told_to_stop() -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()
