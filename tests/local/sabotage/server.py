"""A service of the sabotage tests: `server.py PORT [ADDRESS:PORT ...]`.

Answers every HTTP request with `ok`, after it has asked the next of its upstreams over a pooled
connection, some of which it ends; with 503 when that one does not answer within a second. It has a
child process, so that a target has more than one.
"""

import asyncio
import itertools
import os
import sys
import time

ANSWER = b"HTTP/1.1 %d Said\r\nContent-Length: 2\r\n\r\nok"
QUESTION = b"GET / HTTP/1.1\r\nHost: up\r\n\r\n"
LIMIT_S = 1.0
ENDS_EVERY = 5  # requests; connections that never end cannot meet an end that comes late

upstreams = [tuple(each.rsplit(":", 1)) for each in sys.argv[2:]]
turns = itertools.count()
uses = itertools.count(1)
pool = {upstream: [] for upstream in upstreams}


async def ask(upstream):
    reader, writer = (
        pool[upstream].pop() if pool[upstream] else await asyncio.open_connection(*upstream)
    )
    try:
        writer.write(QUESTION)
        await reader.readexactly(len(ANSWER % 200))
    except BaseException:
        writer.close()
        raise
    if next(uses) % ENDS_EVERY:
        pool[upstream].append((reader, writer))
    else:
        writer.close()


async def status():
    if upstreams:
        try:
            await asyncio.wait_for(ask(upstreams[next(turns) % len(upstreams)]), LIMIT_S)
        except (OSError, asyncio.IncompleteReadError):
            return 503
    return 200


async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER % await status())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if os.fork() == 0:
    time.sleep(600)
    os._exit(0)
asyncio.run(main())
