"""The adapter against a real server, and what is none: every call ends, errors are of one type."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from commands import harness
from real_toxiproxy import free_port, toxiproxy
from toxiproxy.toxic import Toxic
from toxiproxy_servers import OURS, REAL, running

from harness.agent.effects import ToxiproxyEdge
from harness.substrates.attached.behind import unusable
from harness.substrates.attached.toxiproxy import Toxiproxy
from harness.substrates.attached.toxiproxy_api import Server, ToxiproxyError, Unanswered


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with toxiproxy() as found:
        yield found


def latency(name: str, ms: int = 10) -> Toxic:
    return Toxic(name=name, type="latency", stream="downstream", attributes={"latency": ms})


@pytest.mark.parametrize("which", [REAL, OURS])
def test_the_whole_life_of_a_proxy_and_its_toxics(which):
    with running(which) as api:
        life(Server(f"http://127.0.0.1:{api.port}/"), "a b?#%2e ü")


def life(server: Server, name: str) -> None:
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


def test_a_proxy_that_hangs_with_toxics_of_others_is_left_to_people(url):
    server, listen, mechanism = Server(url), free_port(), Toxiproxy()
    with pouring() as upstream:
        server.create("shared", f"127.0.0.1:{listen}", f"127.0.0.1:{upstream}")
        server.add("shared", latency("theirs"))
        edge = ToxiproxyEdge("a->b", url, f"127.0.0.1:{listen}", f"127.0.0.1:{upstream}", "", ())
        snapshot = mechanism.snapshot(edge)
        server.add("shared", latency(f"{snapshot.mark}-slow"))
        with socket.create_connection(("127.0.0.1", listen)):
            time.sleep(1.0)  # until all buffers are full
            with pytest.raises(ToxiproxyError, match=r"toxics of others .* theirs") as caught:
                mechanism.make(edge, snapshot, ())
        for command in str(caught.value).partition("By hand: ")[2].split("; "):
            subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
        mechanism.make(edge, snapshot, ())
        assert server.toxics("shared") == ()
        server.delete("shared")


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

    with served(Handler) as url:
        yield url


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"), (200, b"[]"), (200, b'{"a": 1}'), (200, b'{"a": {"name": "a"}}'),
        (404, b"not found"), (302, b""), (500, b"{}"), (200, b""), (200, b"{}"),
    ],
)  # fmt: skip
def test_what_is_no_toxiproxy_is_an_error(status, body):
    with something_else(status, body) as url:
        calls = [Server(url).version, lambda: Server(url).proxy("a")]
        for call in (*calls, *([] if body == b"{}" and status == 200 else [Server(url).proxies])):
            with pytest.raises(ToxiproxyError):
                call()
        if status != 200:
            with pytest.raises(ToxiproxyError):
                Server(url).remove("a", "b")
            with pytest.raises(ToxiproxyError):
                Server(url).delete("a")


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        (b'{"version": "2.12.0"}\n', True), (b'{"version": "2.6.0"}\\n', True),
        (b'{"version": "git"}\n', True), (b'{"version": "v2.9.0-rc.1"}', True),
        (b"2.1.4", False), (b'{"version": "2.5.0"}\\n', False), (b'{"version": "3.1"}', True),
    ],
)  # fmt: skip
def test_other_versions(said, is_one):
    with something_else(200, said) as url:
        assert unusable(url) == "" if is_one else "2.6 is needed" in unusable(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1", "nothing listens at http://127.0.0.1:1"), ("", "no URL of HTTP"),
        ("http://nobody.invalid:8474", "Failed to resolve 'nobody.invalid'"),
        ("ftp://127.0.0.1", "no URL of HTTP"), ("127.0.0.1:8474", "no URL of HTTP"),
        ("http://127.0.0.1:99999", "no URL of HTTP"),
    ],
)  # fmt: skip
def test_urls_where_none_is(url, why):
    assert why in unusable(url)


def test_a_selftest_on_none_is_refused():
    done = harness("selftest", "--fault", "dependency.latency", "--toxiproxy", "http://127.0.0.1:1")
    assert done.returncode == 2, done.stderr
    assert "error HX200: --toxiproxy: nothing listens at http://127.0.0.1:1" in done.stderr


def test_one_behind_a_path(url):
    """Which something in front of it takes away."""

    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path.startswith("/toxi/")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = requests.request(
                self.command, url + self.path.removeprefix("/toxi"), data=body, timeout=5
            )
            self.send_response(said.status_code)
            self.send_header("Content-Length", str(len(said.content)))
            self.end_headers()
            self.wfile.write(said.content)

        do_DELETE = do_POST = do_PATCH = do_GET  # noqa: N815  as the base class has it

        def log_message(self, *said: object) -> None:
            pass

    with served(Front) as front:
        assert unusable(f"{front}/toxi") == ""
        server = Server(f"{front}/toxi/")
        server.create("p", f"127.0.0.1:{free_port()}", "127.0.0.1:1")
        server.add("p", latency("t"))
        assert [toxic.name for toxic in server.toxics("p")] == ["t"]
        server.delete("p")


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
