"""The server of benchmarks/freeze.py: `python freezable.py PORT LOG` answers every request alike.

It remembers when it answered each, and writes that down (monotonic nanoseconds) when it is ended:
what its users felt is then known from its own side, whoever asked.
"""

import asyncio
import signal
import sys
import time
from array import array
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
answered = array("q")


class Answering(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        for _ in range(data.count(b"\r\n\r\n")):
            self.transport.write(ANSWER)
            answered.append(time.monotonic_ns())


async def serve():
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    async with await loop.create_server(Answering, "127.0.0.1", int(sys.argv[1]), backlog=4096):
        await over.wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve())
    with Path(sys.argv[2]).open("wb") as log:
        answered.tofile(log)
