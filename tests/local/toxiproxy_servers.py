"""Both servers, started as their users start them, and what tests say to them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import toxiproxy_build

OURS, REAL = "ours", "real"
_STARTS_S = 20.0


@dataclass(frozen=True)
class Api:
    """One server."""

    which: str
    port: int
    pid: int

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status, and the body as JSON where it is."""
        status, _, text = self.raw(method, path, body, headers)
        return status, json.loads(text) if text[:1] in "{[" and text else text

    def raw(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Bodies that are text are sent as they are, others as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        data = data.encode() if isinstance(data, str) else data
        connection.request(method, path, data, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, text

    def proxy(self, name: str, upstream: int) -> int:
        """A new one; its port."""
        body = {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream}"}
        status, made = self.ask("POST", "/proxies", body)
        assert status == 201, made
        return int(made["listen"].rpartition(":")[2])

    def toxic(self, proxy: str, type: str, stream: str = "downstream", **attributes: int) -> None:
        toxicity = float(attributes.pop("toxicity", 1))
        body = {"type": type, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        status, said = self.ask("POST", f"/proxies/{proxy}/toxics", body)
        assert status == 200, said

    def untoxic(self, proxy: str, name: str) -> None:
        assert self.ask("DELETE", f"/proxies/{proxy}/toxics/{name}")[0] == 204


@contextlib.contextmanager
def running(which: str, *flags: str) -> Iterator[Api]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if which == REAL:
        argv = [str(toxiproxy_build.server()), "-host", "127.0.0.1", "-port", str(port)]
        argv += [flag.replace("--", "-") for flag in flags]
    else:
        harness = str(Path(sys.executable).with_name("harness"))
        argv = [harness, "toxiproxy", "--listen", f"127.0.0.1:{port}", *flags]
    quiet = {**os.environ, "LOG_LEVEL": "disabled"}
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=quiet) as process:
        try:
            _listens(port, process)
            yield Api(which, port, process.pid)
            assert process.poll() is None, "the server died"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTS_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


class Upstream:
    """A server whose connections the test holds in its hands; closed with it, as those to it."""

    def __init__(self) -> None:
        self._given: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2000)
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]

    def accept(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.settimeout(10)
        self._given.append(connection)
        return connection

    def connect(self, port: int) -> socket.socket:
        """To a proxy at `port`."""
        client = socket.create_connection(("127.0.0.1", port), 10)
        self._given.append(client)
        return client

    def close(self) -> None:
        for one in (self._listener, *self._given):
            one.close()

    def pair(self, port: int) -> tuple[socket.socket, socket.socket]:
        """A connection through the proxy at `port`: the client's end and ours."""
        return self.connect(port), self.accept()

    def echo(self) -> None:
        """From now on, everything that comes is sent back."""

        def serve() -> None:
            while True:
                with contextlib.suppress(OSError):
                    one, _ = self._listener.accept()
                    threading.Thread(target=_echo, args=(one,), daemon=True).start()

        self._listener.settimeout(None)
        threading.Thread(target=serve, daemon=True).start()


def _echo(one: socket.socket) -> None:
    with one, contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            one.sendall(data)


def all_of(connection: socket.socket, within_s: float = 10) -> tuple[bytes, str]:
    """What comes until it ends, and how it does: closed, reset, or open when time is up."""
    data, until = b"", time.monotonic() + within_s
    while (left := until - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            more = connection.recv(1 << 16)
        except TimeoutError:
            break
        except ConnectionError:
            return data, "reset"
        if not more:
            return data, "closed"
        data += more
    return data, "open"


def alike(said: tuple[int, dict[str, str], str]) -> tuple[Any, ...]:
    """Without what may differ: ports, ids, times, text about bad bodies and of the system."""
    status, headers, text = said
    kept = {k: v for k, v in headers.items() if k not in ("date", "content-length")}
    if "x-toxiproxy-request-id" in kept:
        assert re.fullmatch("[0-9a-v]{20}", kept["x-toxiproxy-request-id"])
        kept["x-toxiproxy-request-id"] = "ID"
    text = re.sub(r"(\]|127\.0\.0\.1|0\.0\.0\.0):\d{4,5}", r"\1:PORT", text)
    text = re.sub(r'(bad request body): (?:[^"\\]|\\.)*', r"\1: …", text)
    text = re.sub(r'("error":")(?:listen|lookup|address) (?:[^"\\]|\\.)*', r"\1…", text)
    return status, kept, text
