"""What our server does beyond Toxiproxy, seen by plain sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_world import SmallWorld, in_world
from toxiproxy_servers import OURS, REAL, Api, Upstream, running

_UDP = socket.SOCK_DGRAM


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with running(OURS) as api:
        yield api


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with contextlib.closing(Upstream()) as upstream:
        yield upstream


@pytest.fixture
def port(api: Api, upstream: Upstream) -> Iterator[int]:
    yield api.proxy("p", upstream.port)
    api.raw("DELETE", "/proxies/p")


def waits(sender: socket.socket, receiver: socket.socket) -> float:
    begun = time.monotonic()
    sender.sendall(b"x")
    receiver.settimeout(5)
    assert receiver.recv(1) == b"x"
    return time.monotonic() - begun


def test_a_toxic_ends_by_itself(api: Api, upstream: Upstream, port: int) -> None:
    client, server = upstream.pair(port)
    body = {"type": "latency", "attributes": {"latency": 300}, "ends_after_ms": 1000}
    status, made = api.ask("POST", "/v1/proxies/p/toxics", body)
    assert status == 200
    assert 0 < made["ends_in_ms"] <= 1000
    assert waits(server, client) > 0.29
    time.sleep(0.9)
    assert waits(server, client) < 0.2
    assert api.ask("GET", "/proxies/p/toxics") == (200, [])


def test_the_end_of_a_toxic_spares_another_of_its_name(
    api: Api, upstream: Upstream, port: int
) -> None:
    body = {"type": "noop", "ends_after_ms": 300}
    assert api.ask("POST", "/v1/proxies/p/toxics", body)[0] == 200
    api.untoxic("p", "noop_downstream")
    api.toxic("p", "noop")
    time.sleep(0.6)
    assert [one["name"] for one in api.ask("GET", "/proxies/p/toxics")[1]] == ["noop_downstream"]


def test_a_curve_is_followed(api: Api, upstream: Upstream, port: int) -> None:
    client, server = upstream.pair(port)
    curve = {"points": [[0, 0], [1, 500]]}
    body = {"type": "latency", "attributes": {"latency": curve, "jitter": 0}}
    assert api.ask("POST", "/v1/proxies/p/toxics", body)[0] == 200
    early = waits(server, client)
    time.sleep(1.2)
    late = waits(server, client)
    assert early < 0.2
    assert 0.49 < late < 1.5


@pytest.mark.parametrize(
    "body",
    [
        {"type": "latency", "ends_after": 5}, {"type": "latency", "ends_after_ms": 0},
        {"type": "latency", "ends_after_ms": "1s"},
        {"type": "latency", "attributes": {"latency": {}}},
        {"type": "latency", "attributes": {"latency": {"points": []}}}, [], 5,
        {"type": "latency", "attributes": {"latency": {"points": [[1, 2]]}}},
        {"type": "latency", "attributes": {"latency": {"points": [[0, 1], [0, 2]]}}},
        {"type": "latency", "attributes": {"latency": {"points": [[0, 1]], "step": True}}},
    ],
    ids=str,
)  # fmt: skip
def test_what_it_does_not_know_is_refused(api: Api, port: int, body: Any) -> None:
    status, said = api.ask("POST", "/v1/proxies/p/toxics", body)
    assert (status, said["status"]) == (400, 400)
    assert api.ask("GET", "/proxies/p/toxics")[1] == []


def test_further_listeners_lead_to_the_same_upstream(
    api: Api, upstream: Upstream, port: int
) -> None:
    status, shown = api.ask("POST", "/v1/proxies/p/listeners", {"listen": "127.0.0.1:0"})
    assert status == 200
    ports = [int(one.rpartition(":")[2]) for one in shown["listeners"]]
    assert ports[0] == port
    api.toxic("p", "latency", latency=200)
    for each in ports:
        client, server = upstream.pair(each)
        assert waits(server, client) > 0.19
    assert api.ask("POST", "/v1/proxies/p/listeners", {"listen": f"127.0.0.1:{port}"})[0] == 500
    api.ask("PATCH", "/proxies/p", {"enabled": False})
    for each in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", each), 5)
    api.ask("POST", "/reset")
    for each in ports:
        upstream.pair(each)


def test_a_listener_that_was_added_can_be_removed(api: Api, upstream: Upstream, port: int) -> None:
    _, shown = api.ask("POST", "/v1/proxies/p/listeners", {"listen": "127.0.0.1:0"})
    first, more = shown["listeners"]
    client, server = upstream.pair(int(more.rpartition(":")[2]))
    assert api.ask("DELETE", f"/v1/proxies/p/listeners/{first}")[0] == 404
    assert api.ask("DELETE", f"/v1/proxies/p/listeners/{more}")[0] == 204
    assert api.ask("DELETE", f"/v1/proxies/p/listeners/{more}")[0] == 404
    assert api.ask("DELETE", f"/v1/proxies/q/listeners/{more}")[0] == 404
    assert api.ask("GET", "/v1/proxies/p")[1]["listeners"] == [first]
    waits(server, client)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(more.rpartition(":")[2])), 5)
    upstream.pair(port)
    api.ask("PATCH", "/proxies/p", {"enabled": False})
    api.ask("PATCH", "/proxies/p", {"enabled": True})
    assert api.ask("GET", "/v1/proxies/p")[1]["listeners"] == [first]
    upstream.pair(port)


@pytest.mark.parametrize("which", [OURS, REAL])
def test_the_kernel_looks_after_peers_that_say_nothing(which: str, upstream: Upstream) -> None:
    """Both ends of a silent connection are on the keepalive clock, so one that vanished ends."""
    with running(which) as server:
        port = server.proxy("p", upstream.port)
        upstream.pair(port)
        for end in (f"sport = :{port}", f"dport = :{upstream.port}"):
            argv = ["ss", "-Htnop", "state", "established", end]
            said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
            (proxys,) = (line for line in said.splitlines() if f"pid={server.pid}," in line)
            assert "timer:(keepalive,1" in proxys, said


def test_records_say_who_met_what(api: Api, upstream: Upstream, port: int) -> None:
    untouched, _ = upstream.pair(port)
    api.toxic("p", "latency", latency=1)
    client, server = upstream.pair(port)
    waits(server, client)
    server.close()
    assert client.recv(1) == b""
    client.close()
    time.sleep(0.3)
    first, second = api.ask("GET", "/v1/proxies/p/connections")[1]
    assert first["client"] == "{}:{}".format(*untouched.getsockname())
    assert (first["met"], first["ended"], first["how"]) == ({}, None, "open")
    assert list(second["met"]) == ["latency_downstream"]
    assert second["upstream"] == f"127.0.0.1:{upstream.port}"
    assert (second["bytes_upstream"], second["bytes_downstream"]) == (0, 1)
    assert second["ended"] >= second["met"]["latency_downstream"] >= second["begun"]
    assert api.ask("GET", "/v1/proxies/p")[1]["toxics"][0]["met"] == 1


# ---------------------------------------------------------------- UDP


@pytest.fixture
def datagrams(api: Api) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client that speaks through the proxy `u`, and the upstream."""
    with socket.socket(type=_UDP) as server, socket.socket(type=_UDP) as client:
        server.bind(("127.0.0.1", 0))
        body = {"name": "u", "upstream": f"127.0.0.1:{server.getsockname()[1]}"}
        status, made = api.ask("POST", "/v1/udp", body)
        assert status == 201
        host, _, to = made["listen"].rpartition(":")
        client.connect((host, int(to)))
        for one in (client, server):
            one.settimeout(5)
        yield client, server
        assert api.ask("DELETE", "/v1/udp/u")[0] == 204


def test_udp_latency_each_way(api: Api, datagrams: tuple[socket.socket, socket.socket]) -> None:
    client, server = datagrams
    client.send(b"ask")
    assert server.recvfrom(10)[0] == b"ask"
    assert api.ask("PATCH", "/v1/udp/u", {"back": {"latency": 300}})[0] == 200
    begun = time.monotonic()
    client.send(b"again")
    data, peer = server.recvfrom(10)
    forth = time.monotonic() - begun
    server.sendto(data, peer)
    assert client.recv(10) == b"again"
    assert forth < 0.2
    assert 0.29 < time.monotonic() - begun < 1.5
    shown = api.ask("GET", "/v1/udp")[1][0]
    assert (shown["back"]["late"], shown["clients"]) == (1, 1)


def test_udp_loss_is_a_share(api: Api, datagrams: tuple[socket.socket, socket.socket]) -> None:
    client, server = datagrams
    assert api.ask("PATCH", "/v1/udp/u", {"forth": {"loss": 0.3}})[0] == 200
    came = 0
    server.settimeout(0.3)
    for _ in range(20):
        for _ in range(50):
            client.send(b"x")
        with contextlib.suppress(TimeoutError):
            while server.recv(10):
                came += 1
    lost = api.ask("GET", "/v1/udp")[1][0]["forth"]["lost"]
    assert came == 1000 - lost
    assert 230 <= lost <= 372, "outside by chance once in 10^6"


# ---------------------------------------------------------------- names


@in_world("client")
def test_a_name_is_resolved_anew_for_each_connection(world: SmallWorld) -> None:
    hosts = Path("/run/hosts")
    hosts.write_text("127.0.0.1 localhost\n127.0.0.2 dependency\n")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    os.environ["XDG_CACHE_HOME"] = "/run"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.2", 0)))
        port = first.getsockname()[1]
        second = stack.enter_context(socket.create_server(("127.0.0.3", port)))
        api = stack.enter_context(running(OURS))
        body = {"name": "n", "listen": "127.0.0.1:0", "upstream": f"dependency:{port}"}
        listen = int(api.ask("POST", "/proxies", body)[1]["listen"].rpartition(":")[2])
        api.toxic("n", "latency", latency=5)
        for listener, address in ((first, "127.0.0.2"), (second, "127.0.0.3")):
            hosts.write_text(f"127.0.0.1 localhost\n{address} dependency\n")
            client = stack.enter_context(socket.create_connection(("127.0.0.1", listen), 5))
            listener.settimeout(5)
            server = stack.enter_context(listener.accept()[0])
            assert waits(server, client) > 0.004
        upstreams = [one["upstream"] for one in api.ask("GET", "/v1/proxies/n/connections")[1]]
        assert upstreams == [f"127.0.0.2:{port}", f"127.0.0.3:{port}"]


@in_world("client")
def test_a_name_of_datagrams_is_resolved_anew_while_a_fault_holds(world: SmallWorld) -> None:
    hosts = Path("/run/hosts")
    hosts.write_text("127.0.0.1 localhost\n127.0.0.2 dependency\n")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    os.environ["XDG_CACHE_HOME"] = "/run"
    with contextlib.ExitStack() as stack:
        first, second, client = (stack.enter_context(socket.socket(type=_UDP)) for _ in range(3))
        first.bind(("127.0.0.2", 0))
        second.bind(("127.0.0.3", first.getsockname()[1]))
        api = stack.enter_context(running(OURS))
        body = {"name": "u", "upstream": f"dependency:{first.getsockname()[1]}"}
        slow = {**body, "forth": {"latency": 100}}
        host, _, to = api.ask("POST", "/v1/udp", slow)[1]["listen"].rpartition(":")
        client.connect((host, int(to)))
        for address, server in (("127.0.0.2", first), ("127.0.0.3", second)):
            hosts.write_text(f"127.0.0.1 localhost\n{address} dependency\n")
            server.settimeout(0.3)
            data, peer, asked = b"", ("", 0), 0.0
            for _ in range(30):  # the first that come after the change look the name up
                asked = time.monotonic()
                client.send(b"ask")
                with contextlib.suppress(TimeoutError):
                    data, peer = server.recvfrom(10)
                    break
            assert data == b"ask"
            assert time.monotonic() - asked > 0.099
            server.sendto(b"told", peer)
            client.settimeout(5)
            assert client.recv(10) == b"told"
        assert api.ask("GET", "/v1/udp")[1][0]["upstream"].startswith("127.0.0.3:")
