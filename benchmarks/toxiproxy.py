"""Our Toxiproxy server beside the real one: what each adds, carries, and takes.

    .venv/bin/python benchmarks/toxiproxy.py [ours|real]

Everything is on loopback, on as many cores as there are; the upstream is a process of its own. One
way added is half of what a round trip takes more than without a proxy.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import selectors
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.queues import SimpleQueue
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "local"))
from toxiproxy_servers import OURS, REAL, Api, running

TRIPS, CONNECTIONS, IN_FLIGHT, AT_ONCE, ROUNDS = 3000, 3000, 50, 1000, 3
MANY = 400_000_000
LOCAL = "127.0.0.1"


def main() -> None:
    which = sys.argv[1:] or [OURS, REAL]
    with upstream() as (echo, source):
        plain = round_trip(echo)
        print(f"without a proxy: round trip {plain * 1e6:.0f} us, {rate(source):.0f} MB/s")
        seen = {name: measured(name, echo, source, plain) for name in which}
    width = max(map(len, next(iter(seen.values()))))
    print(f"{'':{width}}  {''.join(f'{name:>12}' for name in which)}{'ours/real':>12}")
    for row in next(iter(seen.values())):
        values = [seen[name][row] for name in which]
        ratio = f"{values[0] / values[1]:12.2f}" if len(values) == 2 and values[1] else ""
        print(f"{row:{width}}  {''.join(f'{value:12.1f}' for value in values)}{ratio}")


def measured(which: str, echo: int, source: int, plain: float) -> dict[str, float]:
    with running(which) as api:
        to_echo, to_source = api.proxy("echo", echo), api.proxy("source", source)
        rows = {"one way added, us, mean": (round_trip(to_echo) - plain) / 2 * 1e6}
        api.toxic("echo", "latency", latency=5)
        late = round_trip(to_echo, trips=200)
        rows["latency of 5 ms, us too late, mean"] = (late - plain) * 1e6 - 5000
        api.untoxic("echo", "latency_downstream")
        rows["MB/s, no toxic"] = rate(to_source)
        api.toxic("source", "latency", latency=10)
        rows["MB/s, latency 10 ms"] = rate(to_source)
        api.untoxic("source", "latency_downstream")
        rows["connections a second"] = connections(to_echo)
        rows["memory at rest, MB"] = memory(api)
        at_once, held = many(api, to_echo)
        rows[f"{AT_ONCE} connections at once, ms until all have an answer"] = at_once * 1000
        rows[f"memory with {AT_ONCE}, MB"] = held
        return rows


def round_trip(port: int, trips: int = TRIPS) -> float:
    """Mean seconds for 64 bytes there and back; the best of some rounds."""
    with socket.create_connection((LOCAL, port)) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return min(statistics.mean(trip(one) for _ in range(trips)) for _ in range(ROUNDS))


def trip(one: socket.socket) -> float:
    begun = time.perf_counter()
    one.sendall(b"x" * 64)
    one.recv(64)
    return time.perf_counter() - begun


def rate(port: int) -> float:
    """MB/s of what the upstream sends as fast as it can; the best of some rounds."""
    return max(_rate(port) for _ in range(ROUNDS))


def _rate(port: int) -> float:
    buffer, got, begun = bytearray(1 << 20), 0, time.perf_counter()
    with socket.create_connection((LOCAL, port)) as one:
        while count := one.recv_into(buffer):
            got += count
    assert got == MANY, "bytes are missing"
    return got / (time.perf_counter() - begun) / 1e6


def connections(port: int) -> float:
    """`IN_FLIGHT` at a time, each with one byte there and back."""
    begun = time.perf_counter()
    in_flight(port, CONNECTIONS, IN_FLIGHT)
    return CONNECTIONS / (time.perf_counter() - begun)


def many(api: Api, port: int) -> tuple[float, float]:
    """Seconds until all that were begun at once have an answer, and the server's memory then."""
    begun = time.perf_counter()
    with in_flight(port, AT_ONCE, AT_ONCE):
        return time.perf_counter() - begun, memory(api)


def in_flight(port: int, count: int, most: int) -> contextlib.ExitStack:
    """So many connections, `most` of them at a time; the last ones are still open in the stack."""
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as waiting:
        begun = answered = 0
        while answered < count:
            while begun < count and begun - answered < most:
                one = stack.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex((LOCAL, port))
                waiting.register(one, selectors.EVENT_WRITE)
                begun += 1
            for key, ready in waiting.select(30):
                answered += _answered(waiting, key, ready, keep=most == count)
        return stack.pop_all()


def _answered(
    waiting: selectors.BaseSelector, key: selectors.SelectorKey, ready: int, keep: bool
) -> bool:
    one = key.fileobj
    assert isinstance(one, socket.socket)
    if ready & selectors.EVENT_WRITE:
        one.send(b"x")
        waiting.modify(one, selectors.EVENT_READ)
        return False
    assert one.recv(1) == b"x"
    waiting.unregister(one)
    if not keep:
        one.close()
    return True


def memory(api: Api) -> float:
    """Resident, in MB."""
    pages = int(Path(f"/proc/{api.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.contextmanager
def upstream() -> Iterator[tuple[int, int]]:
    """Ports of one that echoes, and one that sends `MANY` bytes and closes."""
    ports: SimpleQueue[int] = multiprocessing.SimpleQueue()
    serves = multiprocessing.Process(target=_serve, args=(ports,), daemon=True)
    serves.start()
    try:
        yield ports.get(), ports.get()
    finally:
        serves.kill()


def _serve(ports: SimpleQueue[int]) -> None:
    echo, source = (socket.create_server((LOCAL, 0), backlog=2000) for _ in range(2))
    ports.put(echo.getsockname()[1])
    ports.put(source.getsockname()[1])
    threading.Thread(target=_sends, args=(source,), daemon=True).start()
    _echoes(echo)


def _sends(source: socket.socket) -> None:
    data = bytes(1 << 20)
    while True:
        one, _ = source.accept()
        with one, contextlib.suppress(OSError):
            left = MANY
            while left:
                left -= one.send(data[:left])


def _echoes(echo: socket.socket) -> None:
    with selectors.DefaultSelector() as waiting:
        waiting.register(echo, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if one is echo:
                    waiting.register(echo.accept()[0], selectors.EVENT_READ)
                    continue
                try:
                    data = one.recv(1 << 16)
                except OSError:
                    data = b""
                if data:
                    one.sendall(data)
                else:
                    waiting.unregister(one)
                    one.close()


if __name__ == "__main__":
    main()
