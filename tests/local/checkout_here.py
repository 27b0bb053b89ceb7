"""The shop of the demo as it runs on a machine where somebody started it: on ports of loopback, its
database and its cache behind a Toxiproxy."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commands import ROOT
from real_toxiproxy import free_port

from harness.substrates.attached.toxiproxy_api import Server

SHOP = ROOT / "scenarios" / "checkout"
#: In a user namespace of its own nobody is root, as PostgreSQL asks.
_ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_STARTS_S = 30.0
#: PostgreSQL wants a login before it answers; the answers have some hundred bytes.
_LOGIN = r"\0\0\0\x25\0\x03\0\0user\0shop\0database\0postgres\0\0"
_QUERY = r"Q\0\0\0\x1cSELECT repeat('x', 400)\0"
_ASK = r"COMMAND DOCS GET\r\n"
_SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {{name: checkout-here}}
spec:
  services:
    web: {{attach: {{port: {web}}}, url: "http://127.0.0.1:{web}", calls: [api]}}
    api: {{attach: {{port: {api}}}, url: "http://127.0.0.1:{api}", calls: [database, cache]}}
    database:
      upstream: "127.0.0.1:{database}"
      proxy: "127.0.0.1:{to_database}"
      toxiproxy: "{url}"
      greeting: "{login}"
      probe: "{query}"
    cache:
      upstream: "127.0.0.1:{cache}"
      proxy: "127.0.0.1:{to_cache}"
      toxiproxy: "{url}"
      probe: "{ask}"
"""


@dataclass(frozen=True)
class Shop:
    """Ports; the last two are those of the proxies that the API calls through."""

    web: int
    api: int
    database: int
    cache: int
    to_database: int
    to_cache: int

    def system(self, url: str) -> str:
        """Its System file, with the Toxiproxy at `url`."""
        return _SYSTEM.format(**vars(self), url=url, login=_LOGIN, query=_QUERY, ask=_ASK)


@contextlib.contextmanager
def shop_here(path: Path, url: str) -> Iterator[Shop]:
    """All of it started, with proxies on the Toxiproxy at `url`."""
    shop = Shop(*(free_port() for _ in range(6)))
    server = Server(url)
    server.create("database", f"127.0.0.1:{shop.to_database}", f"127.0.0.1:{shop.database}")
    server.create("cache", f"127.0.0.1:{shop.to_cache}", f"127.0.0.1:{shop.cache}")
    here, data = "127.0.0.1", path / "data"
    data.mkdir(parents=True)
    behind = ("--database", f"{here}:{shop.to_database}", "--cache", f"{here}:{shop.to_cache}")
    api = (sys.executable, "-m", "shop", "--host", here, "--port", f"{shop.api}", *behind)
    web = {"HOST": here, "PORT": f"{shop.web}", "UPSTREAMS": f"{here}:{shop.api}"}
    services: dict[int, tuple[tuple[str, ...], dict[str, str]]] = {
        shop.database: (
            ("./postgres.sh", str(data), f"{shop.database}", here),
            {"SHOP_CLIENTS": "127.0.0.1/32"},
        ),
        shop.cache: (("./valkey.sh", f"{shop.cache}", here), {}),
        shop.api: (api, {}),
        shop.web: (("caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"), web),
    }
    with contextlib.ExitStack() as started, (path / "shop.log").open("ab") as log:
        for port, (argv, env) in services.items():
            started.enter_context(_service(argv, env, log.fileno()))
            _listens(port)
        yield shop


@contextlib.contextmanager
def _service(argv: tuple[str, ...], env: dict[str, str], log: int) -> Iterator[None]:
    tied = (sys.executable, "-P", "-m", "harness.substrates.attached.tied", str(os.getpid()))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [*tied, *_ORDINARY, *argv], cwd=SHOP, env={**os.environ, **env, "PATH": path},
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _listens(port: int) -> None:
    until = time.monotonic() + _STARTS_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")
