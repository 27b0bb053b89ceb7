"""A server on this machine whose caller reaches it by way of a proxy: ours, or a Toxiproxy's.

A Toxiproxy outlives every run, and what a run leaves on it would stay: it is asked for that by its
own API. Each shot has a proxy of its own there, made before the run and removed after it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from harness.agent.effects import Process
from harness.errors import NotReady
from harness.selftest.started import started

_HERE = "127.0.0.1"
_SYSTEM = """\
apiVersion: harness/v1
kind: System
metadata: {{name: selftest}}
spec:
  services:
    asker: {{attach: {{pid: {asker}}}, calls: [server]}}
    server: {{upstream: "127.0.0.1:{port}", proxy: "127.0.0.1:{between}"{server}}}
"""


@dataclass(frozen=True)
class Proxied:
    """`system` is its file, `target` the server's process; `name` is that of the proxy on the
    Toxiproxy at `url`, none where the proxy is the run's own."""

    system: str
    target: Process
    url: str
    name: str

    def left(self) -> tuple[str, ...]:
        """What is on the Toxiproxy's proxy that was not there before the run, in words."""
        if not self.url:
            return ()
        from harness.substrates.attached.toxiproxy_api import Server, ToxiproxyError

        server = Server(self.url)
        try:
            there = server.proxy(self.name)
            toxics = tuple(f"toxic {one.name} on {self.url}" for one in server.toxics(self.name))
        except ToxiproxyError as error:
            return () if error.target_gone else (f"nobody can look: {error}",)
        if there is None:
            return (f"no proxy {self.name} on {self.url} any more",)
        return (*toxics, *(() if there.enabled else (f"proxy {self.name} is down",)))


@contextlib.contextmanager
def proxied(url: str, name: str) -> Iterator[Proxied]:
    """Caller and server, for as long as the block; with `url` the proxy between them, too."""
    with contextlib.ExitStack() as begun:
        target, port = begun.enter_context(started("server", "0", ""))
        between = _free_port()
        if url:
            begun.enter_context(_on(url, name, between, port))
        asking = started("asker", "0", "", _HERE, str(between))
        asker, _ = begun.enter_context(asking)
        server = f', toxiproxy: "{url}", probe: "?\\n"' if url else ""
        text = _SYSTEM.format(asker=asker.pid, port=port, between=between, server=server)
        yield Proxied(text, target, url, name)


@contextlib.contextmanager
def _on(url: str, name: str, between: int, port: int) -> Iterator[None]:
    from harness.substrates.attached.toxiproxy_api import Server, ToxiproxyError

    server = Server(url)
    try:
        server.create(name, f"{_HERE}:{between}", f"{_HERE}:{port}")
    except ToxiproxyError as error:
        raise NotReady(str(error)) from None
    try:
        yield
    finally:
        with contextlib.suppress(ToxiproxyError):  # it has died, and the proxy with it
            server.delete(name)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_HERE, 0))
        return int(found.getsockname()[1])
