"""A real HTTP server that behaves badly in exactly known ways: `python truth_server.py PORT`.

Each path counts its own requests, so that a share is exact and not a matter of chance:
/ratio fails every 50th · /edge is slow (140 ms) every 125th, /over every 80th, where the target is
P99 < 100 ms · /modes takes 5 ms or, three times of ten, 80 ms · /heavy takes a Pareto time · /stale
gives an old answer every tenth time · /bursts fails for 100 ms of every 2 s · /step takes 120 ms
from 10 s on · /warming takes 300 ms for its first 2 s · /ok fails for exactly 7 s after SIGUSR1.
"""

import asyncio
import json
import signal
import sys
import time
from collections import Counter

counts, begun, broken = Counter(), {}, [float("-inf")]


def answer(status, **fields):
    body = json.dumps(fields).encode()
    return f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def pareto(number, scale=0.02, shape=1.5, strata=200):
    """One of 200 quantiles, each as often as the others, spread over time by a step coprime."""
    share = ((number * 89) % strata + 0.5) / strata
    return scale * (1 - share) ** (-1 / shape)


async def reply(path):
    now = time.monotonic()
    counts[path] += 1
    number, age = counts[path], now - begun.setdefault(path, now)
    slow = {
        "edge": 0.14 * (number % 125 == 60), "over": 0.14 * (number % 80 == 40),
        "modes": 0.08 if number % 10 in (2, 5, 8) else 0.005, "heavy": pareto(number),
        "step": 0.12 * (age >= 10.0), "warming": 0.3 * (age < 2.0),
    }.get(path, 0.0)  # fmt: skip
    if slow:
        await asyncio.sleep(slow)
    bad = (
        (path == "ratio" and number % 50 == 25)
        or (path == "bursts" and now % 2.0 < 0.1)
        or (path == "ok" and now < broken[-1] + 7.0)
    )
    return answer(503 if bad else 200, age_s=60 if path == "stale" and number % 10 == 5 else 0)


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            writer.write(await reply(head.split(" ")[1].strip("/")))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def break_down():
    broken.append(time.monotonic())


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, break_down)
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


asyncio.run(main())
