"""Clients that are broken, slow or hostile: an answer with a 4xx or a closed connection, and a
server that goes on."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toxiproxy_servers import OURS, Api, running

_SEED = 20
POST = b"POST /proxies HTTP/1.1\r\nHost: x\r\n"
HALVES = (b"", b"G", b"GET / HTTP/1.1\r\n", POST + b"Content-Length: 9\r\n\r\n")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with running(OURS) as api:
        yield api
        assert api.ask("GET", "/version")[0] == 200


def answer(api: Api, sent: bytes) -> int:
    """The status of what comes back; 0 for a connection that was only closed."""
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            heard = connection.recv(100)
            return int(heard.split()[1]) if heard else 0
        return 0


def test_mangled_requests(api: Api) -> None:
    """Real requests with bytes changed, cut and doubled at random."""
    chance = random.Random(_SEED)
    body = b'{"name":"m","listen":"127.0.0.1:0","upstream":"127.0.0.1:9","enabled":false}'
    head = f"POST /proxies HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    statuses = set()
    for _ in range(400):
        sent = bytearray(head + body)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(sent))
            act = chance.randrange(3)
            if act == 0:
                sent[at] = chance.randrange(256)
            elif act == 1:
                del sent[at : at + chance.randint(1, 30)]
            else:
                sent[at:at] = sent[at : at + 20]
        statuses.add(answer(api, bytes(sent)))
    assert not {s for s in statuses if s >= 500} - {505}, "505: another HTTP, as the real one says"
    assert 400 in statuses


def test_bodies_of_every_kind(api: Api) -> None:
    chance = random.Random(_SEED)
    api.ask("POST", "/proxies", {"name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"})
    values = [None, True, 0, -1, 1 << 70, 1.5, 1e308, "", "x", "\0", "x" * 10_000, [], {}, [[]]]
    for _ in range(300):
        toxic = {
            key: chance.choice(values)
            for key in ("type", "name", "stream", "toxicity", "attributes", "ends_after_ms")
            if chance.random() < 0.6
        }
        if chance.random() < 0.6:
            toxic["type"] = chance.choice(["latency", "bandwidth", "slicer", "limit_data"])
        if chance.random() < 0.4:
            names = ("latency", "jitter", "rate", "average_size", "bytes", "points", "delay")
            toxic["attributes"] = {name: chance.choice(values) for name in names}
        for path in (
            "/proxies/p/toxics", "/v1/proxies/p/toxics", "/proxies", "/populate", "/v1/udp",
        ):  # fmt: skip
            assert api.raw("POST", path, toxic)[0] < 500, (path, toxic)
        assert api.raw("POST", "/reset")[0] == 204
    assert api.raw("DELETE", "/proxies/p")[0] == 204


WORDS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["latency", "slicer", "upstream", "downstream", "127.0.0.1:0", "[::1]:0"]),
)  # fmt: skip
NAMES = st.sampled_from(
    ["name", "type", "stream", "toxicity", "attributes", "listen", "upstream", "enabled", "latency",
     "points", "smooth", "every", "ends_after_ms", "forth", "back", "loss", "rate", "bytes"]
) | st.text(max_size=5)  # fmt: skip
VALUES = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6)
)
BODIES = st.one_of(st.binary(max_size=200), VALUES.map(lambda value: json.dumps(value).encode()))
PARTS = st.sampled_from(["p", "u", "t", "toxics", "listeners", "connections", "é", "..", "%2F", ""])
PATHS = st.builds(
    lambda root, rest: "/".join([root, *rest]),
    st.sampled_from(["/proxies", "/populate", "/reset", "/v1/proxies", "/v1/udp", "/version", ""]),
    st.lists(PARTS, max_size=4),
)  # fmt: skip
METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "FOO"])


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(method=METHODS, path=PATHS, body=BODIES)
def test_whatever_is_asked(api: Api, method: str, path: str, body: bytes) -> None:
    """An answer that is no 5xx but for an address that cannot be had, and a server that lives."""
    with contextlib.suppress(UnicodeEncodeError):
        path.encode("ascii")
        status, _, text = api.raw(method, path, body)
        cannot = ("listen", "lookup", "address")
        refused = any(f'"error":"{word} ' in text for word in cannot)
        assert status < 500 or (status == 500 and refused), (status, text)
    assert api.ask("GET", "/version")[0] == 200


def test_clients_that_half_close_get_their_answer(api: Api) -> None:
    for sent, status in ((b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n", 200), (POST + b"\r\n", 400)):
        assert answer(api, sent) == status
    for half in HALVES:
        assert answer(api, half) in (0, 400)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_200_000, 431),
        (b"GET /" + b"a" * 1_200_000, 431),
        (POST + b"Content-Length: 20000000\r\n\r\n" + b" " * (17 << 20), 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"\x00" * 100, 400),
    ],
    ids=["header", "path", "body", "chunk", "lengths", "zeros"],
)  # fmt: skip
def test_too_much_or_nonsense(api: Api, sent: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        heard = b""
        with contextlib.suppress(ConnectionError):
            heard = connection.recv(100)
    assert not heard or int(heard.split()[1]) == status
    assert api.ask("GET", "/version")[0] == 200


def test_many_requests_at_once_are_all_answered(api: Api) -> None:
    ask = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(ask * 999 + ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        heard = b""
        while data := connection.recv(1 << 16):
            heard += data
    assert heard.count(b"HTTP/1.1 200 OK") == 1000


def test_clients_that_never_finish_do_not_pile_up(api: Api) -> None:
    """A thousand half requests: the server answers others at once, and keeps 512 of them at most;
    those that stay are gone after 15 s."""
    before = descriptors(api)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.socket()) for _ in range(1000)]
        for number, one in enumerate(slow):
            one.connect(("127.0.0.1", api.port))
            with contextlib.suppress(ConnectionError):
                one.sendall(HALVES[number % len(HALVES)])
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
        connection.request("GET", "/version")
        assert connection.getresponse().read()
        connection.close()
        assert time.monotonic() - begun < 3
        assert descriptors(api) - before < 530
        until = time.monotonic() + 45
        while descriptors(api) - before > 5 and time.monotonic() < until:
            for one in slow:  # a byte now and then does not keep it open
                with contextlib.suppress(OSError):
                    one.send(b"a", socket.MSG_DONTWAIT)
            time.sleep(1)
        assert descriptors(api) - before <= 5


def descriptors(api: Api) -> int:
    return len(list(Path(f"/proc/{api.pid}/fd").iterdir()))
