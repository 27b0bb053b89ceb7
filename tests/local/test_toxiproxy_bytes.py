"""No byte is lost, doubled or moved while toxics come, change and go under traffic.

`HARNESS_TEST_BYTES=1e9` for the long run; a small share otherwise.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from toxiproxy_servers import OURS, Api, Upstream, running

_BYTES = int(float(os.environ.get("HARNESS_TEST_BYTES", "1e8")))
_CONNECTIONS = 4
_HARMLESS = (
    ("latency", {"latency": 20, "jitter": 15}),
    ("bandwidth", {"rate": 30_000}),
    ("noop", {}),
    ("slicer", {"average_size": 5000, "size_variation": 2000, "delay": 10}),
    ("slow_close", {"delay": 50}),
)


@pytest.mark.timeout(1800)
def test_bytes_under_stirring() -> None:
    with running(OURS) as api, contextlib.closing(Upstream()) as upstream, stirred(api) as turns:
        port = api.proxy("p", upstream.port)
        upstream.echo()
        threads = [Traffic(port, seed) for seed in range(_CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [t.came for t in threads] == [t.sent for t in threads]
    assert sum(t.count for t in threads) >= _BYTES
    assert turns[0] > 10, "the toxics hardly changed: the test says little"


class Traffic(threading.Thread):
    """One connection's share, there and back."""

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._port, self._chance = port, random.Random(seed)
        self.sent = self.came = b""
        self.count = 0

    def run(self) -> None:
        share = _BYTES // _CONNECTIONS + 1
        with socket.create_connection(("127.0.0.1", self._port), 60) as one:
            sender = threading.Thread(target=self._send, args=(one, share), daemon=True)
            sender.start()
            digest = hashlib.sha256()
            while self.count < share:
                data = one.recv(1 << 18)
                assert data, "it was closed"
                digest.update(data)
                self.count += len(data)
            sender.join()
            self.came = digest.digest()

    def _send(self, one: socket.socket, share: int) -> None:
        block, digest, left = self._chance.randbytes(1 << 20), hashlib.sha256(), share
        while left:
            begin = self._chance.randrange(1 << 19)
            data = block[begin : begin + min(left, self._chance.randint(1, 1 << 19))]
            digest.update(data)
            one.sendall(data)
            left -= len(data)
        self.sent = digest.digest()


@contextlib.contextmanager
def stirred(api: Api) -> Iterator[list[int]]:
    """Toxics of the proxy `p` change all the time; counts how often."""
    over, turns = threading.Event(), [0]

    def stir() -> None:
        chance = random.Random(7)
        while not over.is_set():
            kind, attributes = chance.choice(_HARMLESS)
            stream = chance.choice(["upstream", "downstream"])
            body = {"type": kind, "stream": stream, "attributes": attributes}
            body["toxicity"] = chance.choice([0.5, 1])
            one = f"/proxies/p/toxics/{kind}_{stream}"
            if api.raw("POST", "/proxies/p/toxics", body)[0] == 409:
                act = chance.choice(["DELETE", "DELETE", "PATCH"])
                api.raw(act, one, {"attributes": attributes} if act == "PATCH" else None)
            turns[0] += 1
            time.sleep(chance.uniform(0, 0.01))

    stirrer = threading.Thread(target=stir, daemon=True)
    stirrer.start()
    try:
        yield turns
    finally:
        over.set()
        stirrer.join()
