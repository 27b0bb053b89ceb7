"""A small real HTTP server for the load tests: `python load_server.py PORT`, asyncio, keep-alive.

/ok answers at once, /sleep/0.3 later, /status/503 so, /drop closes without an answer, /fifth drops
every fifth request, /away redirects to another host, /seen tells what it got.
"""

import asyncio
import json
import sys
from collections import Counter

seen, headers_seen = Counter(), {}


def answer(status, body=b"ok", extra=""):
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


async def reply(path):
    """The bytes to send, or None to close the connection."""
    kind, _, value = path.strip("/").partition("/")
    if kind == "sleep":
        await asyncio.sleep(float(value))
    if kind == "drop" or (kind == "fifth" and seen["fifth"] % 5 == 0):
        return None
    if kind == "status":
        return answer(int(value))
    if kind == "away":
        return answer(302, b"", f"Location: http://127.0.0.2:{sys.argv[1]}/stolen\r\n")
    if kind == "seen":
        return answer(200, json.dumps({"counts": seen, "headers": headers_seen}).encode())
    return answer(200)


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
            await reader.readexactly(int(fields.get("content-length", 0)))
            path = first.split(" ")[1]
            seen[path.strip("/").partition("/")[0]] += 1
            headers_seen.update(fields)
            reply_bytes = await reply(path)
            if reply_bytes is None:
                break
            writer.write(reply_bytes)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


asyncio.run(main())
