"""A small HTTP server that answers everything at once, for measuring what the load can hold here.

`python -m harness.load.answering` prints its port, and ends with its standard input. It reads no
further than the ends of heads, so that it is not what is measured.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from harness.load.fast_worker import run_with_loop

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER * data.count(b"\r\n\r\n"))


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started us is gone
    server.close()


if __name__ == "__main__":
    run_with_loop()(serve())
