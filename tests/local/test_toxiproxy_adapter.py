"""The adapter against a real server, and what is none: every call ends, errors are of one type."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from real_toxiproxy import free_port, toxiproxy
from toxiproxy.toxic import Toxic

from harness.agent.effects import ToxiproxyEdge
from harness.substrates.attached.toxiproxy import Toxiproxy
from harness.substrates.attached.toxiproxy_api import Server, ToxiproxyError, Unanswered


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with toxiproxy() as found:
        yield found


def latency(name: str, ms: int = 10) -> Toxic:
    return Toxic(name=name, type="latency", stream="downstream", attributes={"latency": ms})


def test_the_whole_life_of_a_proxy_and_its_toxics(url):
    server, name = Server(url + "/"), "a b?#%2e ü"
    assert server.version().strip()
    assert server.proxy(name) is None
    made = server.create(name, f"127.0.0.1:{free_port()}", "127.0.0.1:1")
    assert (made.name, made.enabled) == (name, True)
    server.add(name, latency("one & two"))
    server.update(name, latency("one & two", 20))
    (toxic,) = server.toxics(name)
    assert toxic.attributes == {"latency": 20, "jitter": 0}
    server.enable(name, False)
    assert [(p.name, p.enabled) for p in server.proxies()] == [(name, False)]
    server.enable(name, True)
    for _ in range(2):
        server.remove(name, "one & two")
        assert server.toxics(name) == ()
    for _ in range(2):
        server.delete(name)
    assert server.toxics(name) == ()
    server.remove(name, "one & two")


@contextlib.contextmanager
def pouring() -> Iterator[int]:
    """The port of a server that sends without an end to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:

        def pour() -> None:
            with contextlib.suppress(OSError):
                taken = stack.enter_context(listener.accept()[0])
                while True:
                    taken.sendall(bytes(1 << 16))

        threading.Thread(target=pour, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_connection_that_takes_nothing_holds_up_no_taking_back(url):
    server, listen, mechanism = Server(url), free_port(), Toxiproxy()
    with pouring() as upstream:
        server.create("stuck", f"127.0.0.1:{listen}", f"127.0.0.1:{upstream}")
        before = vars(server.proxy("stuck"))
        edge = ToxiproxyEdge("a->b", url, f"127.0.0.1:{listen}", f"127.0.0.1:{upstream}", "", ())
        snapshot = mechanism.snapshot(edge)
        server.add("stuck", latency(f"{snapshot.mark}-slow"))
        with socket.create_connection(("127.0.0.1", listen)):
            time.sleep(1.0)  # until all buffers are full
            with pytest.raises(Unanswered):
                server.remove("stuck", f"{snapshot.mark}-slow")
            mechanism.make(edge, snapshot, ())
            assert server.toxics("stuck") == ()
            assert [vars(proxy) for proxy in server.proxies()] == [before]
            assert mechanism.snapshot(edge).settings == snapshot.settings
        server.delete("stuck")


def test_two_servers_at_once(url):
    with toxiproxy() as other:
        Server(other).create("theirs", f"127.0.0.1:{free_port()}", "127.0.0.1:1")
        assert [p.name for p in Server(other).proxies()] == ["theirs"]
        assert Server(url).proxies() == ()


def test_what_the_server_refuses_is_an_error(url):
    server = Server(url)
    listen = f"127.0.0.1:{free_port()}"
    server.create("p", listen, "127.0.0.1:1")
    server.add("p", latency("t"))
    with pytest.raises(ToxiproxyError, match="409"):
        server.create("p", listen, "127.0.0.1:1")
    with pytest.raises(ToxiproxyError, match="409"):
        server.add("p", latency("t"))
    with pytest.raises(ToxiproxyError, match="500"):
        server.create("q", listen, "127.0.0.1:1")
    with pytest.raises(ToxiproxyError, match="400"):
        server.add("p", Toxic(name="x", type="lateness", attributes={}))
    with pytest.raises(ToxiproxyError, match="404"):
        server.update("p", latency("not there"))
    with pytest.raises(ToxiproxyError, match="404"):
        server.enable("not there", True)
    server.delete("p")


@contextlib.contextmanager
def something_else(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_POST = do_PATCH = do_GET  # noqa: N815  as the base class has it

        def log_message(self, *said: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"), (200, b"[]"), (200, b'{"a": 1}'), (200, b'{"a": {"name": "a"}}'),
        (404, b"not found"), (302, b""), (500, b"{}"), (200, b""),
    ],
)  # fmt: skip
def test_what_is_no_toxiproxy_is_an_error(status, body):
    with something_else(status, body) as url:
        for call in (Server(url).proxies, Server(url).version, lambda: Server(url).proxy("a")):
            with pytest.raises(ToxiproxyError):
                call()
        if status != 200:
            with pytest.raises(ToxiproxyError):
                Server(url).remove("a", "b")
            with pytest.raises(ToxiproxyError):
                Server(url).delete("a")


def test_nobody_and_silence():
    with pytest.raises(ToxiproxyError, match="nothing listens") as caught:
        Server(f"http://127.0.0.1:{free_port()}").proxies()
    assert caught.value.target_gone
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(ToxiproxyError) as caught:
            Server(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.3).proxies()
        assert time.monotonic() - begun < 3
        assert not caught.value.target_gone, "it may come to itself, with all toxics"
