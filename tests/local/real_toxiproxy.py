"""A real Toxiproxy for a test, built from its Go module."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator

from toxiproxy_build import server as built

from harness.substrates.attached.toxiproxy_api import Server, ToxiproxyError


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def toxiproxy() -> Iterator[str]:
    """The URL of its API."""
    with mortal() as (url, _):
        yield url


@contextlib.contextmanager
def mortal() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """One that the test may end."""
    port = free_port()
    argv = [str(built()), "-host", "127.0.0.1", "-port", str(port)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 10
            while True:
                with contextlib.suppress(ToxiproxyError):
                    Server(url).version()
                    break
                assert time.monotonic() < until
                time.sleep(0.05)
            yield url, process
        finally:
            process.kill()
