"""The HTTP API: each dialogue is held with our server and with the real one, and has to be the
same: status, headers, body."""

# ruff: noqa: E501  dialogues read better in long lines

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from commands import harness
from toxiproxy_servers import OURS, REAL, Api, Upstream, alike, all_of, running

PROXY = {"name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}
OFF = {**PROXY, "enabled": False, "listen": "127.0.0.1:7"}


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Api, Api]]:
    with running(REAL) as real, running(OURS) as ours:
        yield ours, real


def same(both: tuple[Api, Api], *dialogue: tuple[Any, ...]) -> None:
    for api in both:
        for name in api.ask("GET", "/proxies")[1]:
            api.raw("DELETE", f"/proxies/{quote(name, safe='')}")
    for step in dialogue:
        ours, real = (alike(api.raw(*step)) for api in both)
        assert ours == real, step


WRONG_BODIES = (
    "", " ", "{", "[", "]", "nul", "null", "true", "5", '"x"', "[]", "{}", "NaN", '{"name":NaN}',
    '{"name":5,"upstream":"x"}', '{"name":"x","upstream":["y"]}', '{"name":"x","upstream":{}}',
    '{"name":"","upstream":"x"}', '{"name":"x","upstream":""}', '{"name":"x"}', '{"upstream":"x"}',
    '{"name":"x","upstream":"y","enabled":1}', '{"name":"x","upstream":"y","enabled":"true"}',
    '{"name":"x","upstream":"y","listen":5}', '{"name":"x","upstream":"y","listen":"z"}',
    '{"name":"x","upstream":"y","listen":"127.0.0.1:99999"}',
    '{"name":"x","upstream":"y","listen":"1.2.3.4:5:6"}',
    '{"name":"x","upstream":"y","listen":"203.0.113.1:0"}',
    '{"name":"x","upstream":"y","Logger":5}', "{'name':'x'}", '{"name":"x",}', '{"name":"\x01"}',
    '{"name":"x" "upstream":"y"}', "[" * 20_000, '{"a":' * 12_000, '{"name":01}',
)  # fmt: skip


@pytest.mark.parametrize("body", WRONG_BODIES, ids=lambda body: body[:40] or "empty")
def test_wrong_proxies(both: tuple[Api, Api], body: str) -> None:
    same(both, ("POST", "/proxies", body), ("GET", "/proxies"), ("POST", "/populate", body),
         ("POST", "/populate", f"[{body}]"), ("GET", "/proxies"))  # fmt: skip


RIGHT_BODIES = (
    '{"name":"x","upstream":"y"} and more', '{"NAME":"x","Upstream":"y","LISTEN":"127.0.0.1:0"}',
    '{"name":"a","name":"b","upstream":"y"}', '{"name":"x","upstream":"y","enabled":null}',
    '{"name":"x","upstream":"y","listen":""}', '{"name":"x","upstream":"y","listen":":0"}',
    '{"name":"x","upstream":"y","listen":"0.0.0.0:0"}', '{"name":"x","upstream":"y","listen":"[::1]:0"}',
    '{"name":"x","upstream":"y","listen":"localhost:0"}', '{"name":"x","upstream":"y","other":[1,{}]}',
    '{"name":"x","upstream":"y","enabled":false,"listen":"nonsense"}', '{"name":"é<&>\\u2028","upstream":"y"}',
    '{"name":"\\ud800","upstream":"y"}', b'{"name":"\xff","upstream":"y"}', '{"na\\u006de":"x","upstream":"y"}',
    '\n\t {"name":"x","upstream":"y"}', '{"name":"x","upstream":"y","toxics":[{"type":"latency"}]}',
    '{"name":"x","upstream":"y","Logger":null}', '{"name":"x","upstream":"y","Logger":{"a":1}}',
    '{"ſame":"x","name":"x","upſtream":"y"}', '{"name":"x","name":null,"upstream":"y"}', '\ufeff{"name":"x","upstream":"y"}',
    '{"name":"x","upstream":"y"}{"name":', '{"name":"x","upstream":"y","a":1e999999}', '{"name":"x","upstream":"y","a":.5}',
    '{"name":"x","upstream":"y","enabled":true,"Enabled":false,"ENABLED":true}', '{"name":"x\tb","upstream":"y"}',
    '{"name":"x","upstream":"y","Toxics":5,"-":5,"Proxy":{"name":"z"}}', '{"name":"x\\q","upstream":"y"}', '{"name":"\\ud83d\\ude00","upstream":"y"}',
)  # fmt: skip


@pytest.mark.parametrize("body", RIGHT_BODIES, ids=str)
def test_right_proxies(both: tuple[Api, Api], body: str) -> None:
    same(both, ("POST", "/proxies", body), ("GET", "/proxies"), ("POST", "/proxies", body))


LISTENS = (
    "127.0.0.1", "127.0.0.1:", "127.0.0.1:+0", "127.0.0.1:-0", "127.0.0.1:-1", "127.0.0.1:00", "127.0.0.1:65536",
    "127.0.0.1:99999999999999999999", "127.0.0.1:nonsense", "127.0.0.1:0 ", " 127.0.0.1:0", "LOCALHOST:0", "localhost.:0",
    "127.1:0", "0127.0.0.1:0", "0x7f.1:0", "2130706433:0", "256.0.0.1:0", "*:0", "a..b:0", "é:0", "a:b:c", "tcp://127.0.0.1:0",
    "unix:///tmp/x", "/tmp/x.sock", "[::1]", "[::1]:", "::1:0", "[::]:0", "[127.0.0.1]:0", "[::ffff:127.0.0.1]:0", "[]:0", "[:0", "]:0",
)  # fmt: skip


@pytest.mark.parametrize("listen", [*LISTENS, "127.0.0.1:HTTP"])
def test_addresses_are_read_alike(both: tuple[Api, Api], listen: str) -> None:
    proxy = {**PROXY, "listen": listen}
    off = {**proxy, "enabled": False}
    begun = [("POST", "/proxies", proxy), ("GET", "/proxies"), ("DELETE", "/proxies/p")]
    same(both, *(begun if listen in LISTENS else ()), ("POST", "/proxies", off), ("PATCH", "/proxies/p", {"upstream": listen}),
         ("PATCH", "/proxies/p", off), ("POST", "/populate", [off]), ("GET", "/proxies"))  # fmt: skip


def test_a_port_that_somebody_has(both: tuple[Api, Api]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        theirs = {**PROXY, "listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        same(both, ("POST", "/proxies", theirs), ("POST", "/proxies", PROXY), ("PATCH", "/proxies/p", theirs), ("GET", "/proxies"),
             ("POST", "/populate", [{**PROXY, "name": "q"}, {**theirs, "name": "r"}, {**PROXY, "name": "s"}]), ("GET", "/proxies"),
             ("POST", "/proxies", {**theirs, "name": "t", "enabled": False}), ("POST", "/reset"))  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["a/b", "/", "//", "é", "💥", ".", "..", "a b", "%", "%zz", "a%2Fb", "?", "#", "a\nb", "\0"],
)
def test_names_of_every_kind(both: tuple[Api, Api], name: str) -> None:
    one = f"/proxies/{quote(name, safe='')}"
    toxic = f"{one}/toxics/{quote(name, safe='')}"
    same(both, ("POST", "/proxies", {**PROXY, "name": name}), ("GET", one), ("POST", f"{one}/toxics", {"type": "noop", "name": name}),
         ("GET", toxic), ("PATCH", toxic, "{}"), ("GET", "/proxies"), ("DELETE", toxic), ("DELETE", one), ("GET", "/proxies"))  # fmt: skip


def test_a_proxys_life(both: tuple[Api, Api]) -> None:
    same(
        both, ("GET", "/proxies/p"), ("POST", "/proxies", PROXY), ("GET", "/proxies/p"),
        ("POST", "/proxies", PROXY), ("PATCH", "/proxies/p", {"enabled": False}),
        ("PATCH", "/proxies/p", {"enabled": False}), ("POST", "/proxies/p", {"enabled": True}),
        ("PATCH", "/proxies/p", {"name": "q", "upstream": "elsewhere:1"}), ("GET", "/proxies/q"),
        ("PATCH", "/proxies/p", {"listen": "127.0.0.1:0"}), ("PATCH", "/proxies/p", "{}"),
        ("PATCH", "/proxies/p", {"listen": ""}), ("PATCH", "/proxies/p", {"upstream": ""}),
        ("PATCH", "/proxies/p", {"enabled": False, "listen": "localhost:99"}), ("GET", "/proxies/p"),
        ("PATCH", "/proxies/p", {"listen": "bad"}), ("PATCH", "/proxies/p", {"upstream": 5}),
        ("PATCH", "/proxies/p", ""), ("PATCH", "/proxies/p", "null"), ("PATCH", "/proxies/x", "{}"),
        ("PATCH", "/proxies/p", {"enabled": True, "listen": "203.0.113.1:1"}), ("GET", "/proxies"),
        ("POST", "/reset"), ("PATCH", "/proxies/p", {"enabled": True, "listen": "127.0.0.1:0"}),
        ("DELETE", "/proxies/p"), ("DELETE", "/proxies/p"), ("GET", "/proxies"),
    )  # fmt: skip


def test_populate(both: tuple[Api, Api]) -> None:
    q = {**PROXY, "name": "q"}
    same(
        both, ("POST", "/populate", [PROXY, q]), ("POST", "/populate", [PROXY]),
        ("POST", "/proxies/p/toxics", {"type": "noop"}), ("POST", "/populate", [PROXY]),
        ("GET", "/proxies"), ("POST", "/populate", [OFF]), ("POST", "/populate", [OFF]),
        ("POST", "/proxies/p/toxics", {"type": "noop"}), ("POST", "/populate", [OFF]),
        ("POST", "/populate", [{**OFF, "enabled": True}]), ("POST", "/populate", [{**OFF, "upstream": "z"}]),
        ("GET", "/proxies"), ("POST", "/populate", [q, {**PROXY, "listen": "203.0.113.1:1"}]),
        ("POST", "/populate", [q, {"name": "r"}]), ("POST", "/populate", [q, {"name": 5}]),
        ("POST", "/populate", [{**q, "listen": "bad"}]), ("GET", "/proxies"),
        ("POST", "/populate", [{**q, "enabled": None}]), ("POST", "/populate", [None]),
    )  # fmt: skip


TOXICS = (
    {"type": "latency"}, {"type": "latency", "attributes": {"latency": 5, "jitter": 3}},
    {"type": "bandwidth", "attributes": {"rate": 7}}, {"type": "slow_close", "attributes": {"delay": 1}},
    {"type": "timeout", "attributes": {"timeout": 4}}, {"type": "reset_peer", "stream": "upstream"},
    {"type": "slicer", "attributes": {"average_size": 9, "delay": 8, "size_variation": 7}},
    {"type": "limit_data", "attributes": {"bytes": 1 << 40}}, {"type": "noop", "attributes": {"a": 1}},
    {"type": "latency", "stream": "UpStream"}, {"type": "latency", "stream": "sideways"},
    {"type": "latency", "stream": ""}, {"type": "latency", "stream": None}, {"type": "Latency"},
    {"type": ""}, {}, {"type": "nonsense", "stream": "x"}, {"type": "latency", "attributes": None},
    {"type": "latency", "attributes": []}, {"type": "latency", "attributes": 5},
    {"type": "latency", "attributes": {"latency": "5"}}, {"type": "latency", "attributes": {"latency": 5.5}},
    {"type": "latency", "attributes": {"latency": -5}}, {"type": "latency", "attributes": {"latency": 1 << 63}},
    {"type": "latency", "attributes": {"latency": (1 << 63) - 1}}, {"type": "latency", "attributes": {"Latency": 5}},
    {"type": "latency", "attributes": {"latency": None, "jitter": 1}}, {"type": "latency", "attributes": {"x": 1}},
    {"type": "latency", "name": "n/a"}, {"type": "latency", "name": 5}, {"type": "latency", "name": ""},
    {"type": "latency", "toxicity": 0.1}, {"type": "latency", "toxicity": 0}, {"type": "latency", "toxicity": 5},
    {"type": "latency", "toxicity": -1e-9}, {"type": "latency", "toxicity": 1e39}, {"type": "latency", "toxicity": "1"},
    {"type": "latency", "toxicity": None}, {"type": "latency", "toxicity": 0.123456789}, [], None, 5,
    '{"type":"latency","attributes":{"latency":1e3}}', '{"type":"latency","attributes":{"latency":1.0}}',
    '{"type":"latency","attributes":{"latency":-0}}', '{"type":"latency"', '{"TYPE":"latency","Toxicity":0.5} x',
    '{"type":"latency","attributes":{"latency":1},"attributes":{"jitter":2}}',
    '{"type":"latency","attributes":{"latency":5,"LATENCY":6,"Latency":7}}', '{"type":"slicer","attributes":{"averagesize":12,"Average_Size":3}}',
    *(f'{{"type":"latency","toxicity":{n}}}' for n in ("0.30000000000000004", "16777217", "1e21", "1e20", "1e-6", "9.9e-7", "-0.0", "1e-46", "3.4028235e38", "3.5e38")),
    *(f'{{"type":"latency","attributes":{{"latency":{n}}}}}' for n in ("-9223372036854775808", "-9223372036854775809", "true", "[1]", "{}", "1E2", "0.5")),
    '{"type":"latency","Direction":1,"Index":7,"BufferSize":3,"Toxic":{"latency":5}}', '{"type":"noop","attributes":"x"}', '{"type":" latency"}',
    {"type": "latency", "stream": "upſtream"}, {"type": "latency", "stream": "upstream "}, {"type": "limit_data", "attributes": {"bytes": -1}},
)  # fmt: skip


@pytest.mark.parametrize("toxic", TOXICS, ids=str)
def test_toxics_are_made_and_shown(both: tuple[Api, Api], toxic: Any) -> None:
    same(
        both, ("POST", "/proxies", PROXY), ("POST", "/proxies/p/toxics", toxic),
        ("GET", "/proxies/p/toxics"), ("GET", "/proxies/p"),
    )  # fmt: skip


def test_a_toxics_life(both: tuple[Api, Api]) -> None:
    one = "/proxies/p/toxics/latency_downstream"
    same(
        both, ("POST", "/proxies", PROXY), ("GET", "/proxies/p/toxics"), ("GET", one),
        *(("POST", "/proxies/p/toxics", {"type": t, "stream": s})
          for t in ("latency", "noop") for s in ("downstream", "upstream")),
        ("GET", "/proxies/p/toxics"), ("POST", "/proxies/p/toxics", {"type": "latency"}),
        ("POST", "/proxies/p/toxics", {"type": "noop", "name": "latency_upstream"}),
        ("PATCH", one, {"attributes": {"latency": 7}}), ("PATCH", one, {"attributes": {"jitter": 2}}),
        ("POST", one, {"toxicity": 0.5}), ("PATCH", one, {"stream": "upstream", "type": "noop", "name": "x"}),
        ("PATCH", one, {"attributes": {"latency": 8, "jitter": "x"}, "toxicity": 0.9}), ("GET", one),
        ("PATCH", one, '{"attributes":{"latency":9},"toxicity":"x"}'), ("GET", one),
        ("PATCH", one, '{"attributes":{"latency":10}'), ("GET", one), ("PATCH", one, ""),
        ("PATCH", one, {"attributes": None, "toxicity": None}), ("PATCH", one, {"attributes": 5}),
        ("PATCH", one, "{}"), ("PATCH", "/proxies/p/toxics/none", "{}"), ("PATCH", "/proxies/q/toxics/x", "{}"),
        ("GET", "/proxies/q/toxics"), ("POST", "/proxies/q/toxics", {"type": "noop"}),
        ("DELETE", "/proxies/q/toxics/x"), ("DELETE", one), ("DELETE", one), ("GET", "/proxies/p/toxics"),
        ("POST", "/reset"), ("GET", "/proxies"),
    )  # fmt: skip


def test_toxics_stay_when_a_proxy_is_stopped_or_moved(both: tuple[Api, Api]) -> None:
    same(
        both, ("POST", "/proxies", PROXY), ("POST", "/proxies/p/toxics", {"type": "noop"}),
        ("PATCH", "/proxies/p", {"enabled": False}), ("PATCH", "/proxies/p", {"upstream": "x:1"}),
        ("PATCH", "/proxies/p", {"enabled": True}), ("POST", "/reset"), ("GET", "/proxies"),
    )  # fmt: skip


PATHS = ("/", "/proxies", "/proxies/", "/proxies/p", "/proxies/p/", "/proxies/p/toxics",
         "/proxies/p/toxics/", "/proxies/p/toxics/t", "/proxies/p/toxics/t/u", "//proxies", "/a/../version",
         "/version", "/version/", "/version?x=1", "/metrics", "/populate", "/reset", "/v1x", "/proxies/%70",
         "/proxies/a%2Fb", "/proxies/a%20b", "/Version", "/./version", "/proxies/%C3%A9", "/proxies//x%20y", "//version?x=1&y=%20",
         "/a/../version?x", "/version?", "/version;a", "/proxies/p%2F", "/version%2F", "/../..", "/version/..", "/proxies/%2e%2e/version", "/proxies/%FF",
         "//a!b*c'()", "/proxies/p/toxics//t", "/populate/", "/reset/x")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_method_on_every_path(both: tuple[Api, Api], path: str) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    same(both, ("POST", "/proxies", PROXY), *((method, path) for method in methods))


def test_browsers_are_refused(both: tuple[Api, Api]) -> None:
    for agent in ("Mozilla/5.0", "Mozilla/", "mozilla/5.0", "xMozilla/", ""):
        sent = {"User-Agent": agent}
        same(both, ("GET", "/version", None, sent), ("GET", "/none", None, sent),
             ("POST", "/proxies", PROXY, sent), ("PUT", "/version", None, sent))  # fmt: skip


HEADERS = (
    {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Accept": "text/html"}, {"Accept-Encoding": "gzip"},
    {"Origin": "http://x", "Access-Control-Request-Method": "POST"}, {"X-HTTP-Method-Override": "DELETE"}, {"X-Toxiproxy-Request-Id": "a"},
    {"If-None-Match": "*"}, {"Range": "bytes=0-1"}, {"Connection": "close"}, {"Expect": "100-continue"}, {"Expect": "nonsense"},
    {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "x"}, {"Upgrade": "websocket", "Connection": "Upgrade"},
)  # fmt: skip


@pytest.mark.parametrize("sent", HEADERS, ids=str)
def test_headers_change_nothing_but_what_they_change_there(
    both: tuple[Api, Api], sent: dict[str, str]
) -> None:
    same(both, ("POST", "/proxies", PROXY, sent), ("GET", "/proxies", None, sent), ("OPTIONS", "/proxies", None, sent),
         ("PATCH", "/proxies/p", "{}", sent), ("DELETE", "/proxies/p", None, sent), ("GET", "/version", None, sent))  # fmt: skip


def test_a_body_where_none_is_wanted(both: tuple[Api, Api]) -> None:
    same(both, ("POST", "/proxies", PROXY), ("GET", "/proxies", "["), ("GET", "/version", "{"), ("POST", "/reset", "nonsense"),
         ("DELETE", "/proxies/p", "{"), ("GET", "/proxies"))  # fmt: skip


RAW = (
    b"GARBAGE\r\n\r\n", b"GET /version HTTP/1.1\r\n\r\n", b"GET /version HTTP/1.0\r\n\r\n",
    b"GET /version HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    b"POST /proxies HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    b"POST /proxies HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET version HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://h/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b'POST /proxies HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{"\r\n13\r\nname":"","upstream"\r\n4\r\n:""}\r\n0\r\n\r\n',
    b"GET /version HTTP/1.1\r\nHost: x\r\n\r\nGET /proxies/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    *(method + b" /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" for method in (b"FOO", b"get", b"PROPFIND", b"G@T")),
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /version HTTP/2.0\r\nHost: x\r\n\r\n", b"GET /version HTTP/0.9\r\n\r\n", b"GET /version HTTP/1.1\r\nHost: x y\r\n\r\n",
    b"GET /version HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /version HTTP/1.0\r\n\r\n",
    b"GET /proxies/\xc3\xa9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /proxies/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET https://h:1/version?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /version#x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
)  # fmt: skip


@pytest.mark.parametrize("sent", RAW, ids=str)
def test_requests_as_bytes(both: tuple[Api, Api], sent: bytes) -> None:
    ours, real = (_spoken(api.port, sent) for api in both)
    assert ours == real


def test_a_body_that_comes_behind_its_head(both: tuple[Api, Api]) -> None:
    body = '{"name": "x é\\r\\nUpgrade: y", "upstream": ""}'.encode()
    head = b"PATCH /proxies HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
    for method in (b"PATCH", b"POST"):
        begin = head.replace(b"PATCH", method) + str(len(body)).encode() + b"\r\n\r\n"
        ours, real = (_spoken(api.port, begin, body) for api in both)
        assert ours == real
    made = body.replace(b'""', b'"y"')
    begin = head.replace(b"PATCH", b"POST") + str(len(made)).encode() + b"\r\n\r\n"
    for api in both:
        assert _spoken(api.port, begin, made)[0][0] == 201
        assert "x é\r\nUpgrade: y" in api.ask("GET", "/proxies")[1]


def _spoken(port: int, *sent: bytes) -> list[Any]:
    """All answers until the server closes, which it has to: status, type, body."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        for part in sent:
            connection.sendall(part)
            time.sleep(0.05 * (len(sent) > 1))
        said = []
        reader = connection.makefile("rb")
        while reader.peek(1):
            answer = http.client.HTTPResponse(_Reading(reader))  # type: ignore[arg-type]
            answer.begin()
            said.append((answer.status, answer.getheader("content-type"), answer.read()))
        return said


class _Reading:
    """A file that is there already, as what `HTTPResponse` wants a socket to make."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def makefile(self, _mode: str) -> Any:
        return _Unclosed(self._reader)


class _Unclosed:
    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def close(self) -> None:
        """Another answer may follow."""


def test_metrics_count_what_went_through() -> None:
    seen = []
    for which in (OURS, REAL):
        with running(which, "--proxy-metrics") as api, contextlib.closing(Upstream()) as upstream:
            client, server = upstream.pair(api.proxy('a"p', upstream.port))
            client.sendall(b"ask")
            assert server.recv(10) == b"ask"
            server.sendall(b"answer")
            server.close()
            assert all_of(client)[0] == b"answer"
            client.close()
            time.sleep(0.3)
            status, headers, text = api.raw("GET", "/metrics")
            ports = re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", text)
            ours = [line for line in ports.splitlines() if "toxiproxy_" in line]
            seen.append((status, headers["content-type"], ours))
    assert seen[0] == seen[1]
    assert len(seen[0][2]) == 8


def test_a_file_of_proxies(tmp_path: Path) -> None:
    config = tmp_path / "proxies.json"
    config.write_text(json.dumps([PROXY, {**OFF, "name": "q"}]))
    seen = []
    for which in (OURS, REAL):
        with running(which, "--config", str(config)) as api:
            seen.append(alike(api.raw("GET", "/proxies")))
    assert seen[0] == seen[1]
    assert len(json.loads(seen[0][2])) == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--config", "none.json"), "--config none.json: No such file or directory"),
        (("--config", "{}"), "--config, after 0 proxies: bad request body: "),
        (("--config", '[{"name":"x"}]'), "after 0 proxies: missing required field: upstream at proxy 1"),
        (("--config", '[{"name":"a","upstream":"u"},{"name":"b","upstream":"u","listen":"z"}]'), "after 1 proxies: address z"),
        (("--listen", "203.0.113.1:0"), "--listen 203.0.113.1:0: "), (("--listen", "8474"), "--listen 8474: address 8474"),
    ],
)  # fmt: skip
def test_what_it_cannot_begin_with(tmp_path: Path, argv: tuple[str, str], said: str) -> None:
    """The real server logs it and goes on without."""
    (tmp_path / "given").write_text(argv[1])
    given = "given" if argv[1][0] in "[{" else argv[1]
    done = harness("toxiproxy", "--listen", "127.0.0.1:0", argv[0], given, cwd=tmp_path)
    assert done.returncode == 2
    assert "error HX200: " in done.stderr
    assert said in done.stderr
