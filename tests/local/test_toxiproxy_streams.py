"""What becomes of bytes and connections: each scene is played with our server and the real one, and
what was seen has to be the same. Times may differ by `_NEAR_S`; a scene that differs is played
again, so that a machine that was busy for a moment is not taken for a difference."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from toxiproxy_servers import OURS, REAL, Api, Upstream, all_of, running

_NEAR_S = 0.12
_PLAYS = 3

Scene = Callable[[Api, Upstream, int], Any]
SCENES: list[Scene] = []


def scene(play: Scene) -> Scene:
    SCENES.append(play)
    return play


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Api, Api]]:
    with running(REAL) as real, running(OURS) as ours:
        yield ours, real


@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__)
def test_scene(both: tuple[Api, Api], play: Scene) -> None:
    for attempt in range(_PLAYS):
        with ThreadPoolExecutor() as pool:
            ours, real = pool.map(lambda api: _played(api, play), both)
        if _alike(ours, real) or attempt == _PLAYS - 1:
            break
    assert _alike(ours, real), f"ours {ours}\nreal {real}"


def _played(api: Api, play: Scene) -> Any:
    with contextlib.closing(Upstream()) as upstream:
        port = api.proxy("p", upstream.port)
        try:
            return play(api, upstream, port)
        finally:
            api.raw("DELETE", "/proxies/p")


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) < _NEAR_S
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(_alike(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def arrivals(connection: socket.socket, count: int, within_s: float = 5) -> list[Any]:
    """Seconds until each piece, its size; and how it ended, if it did before so many bytes."""
    begun, seen, got = time.monotonic(), [], 0
    while got < count:
        connection.settimeout(max(0.01, begun + within_s - time.monotonic()))
        try:
            data = connection.recv(1 << 20)
        except TimeoutError:
            return [*seen, "nothing more"]
        except ConnectionError:
            return [*seen, "reset"]
        if not data:
            return [*seen, "closed"]
        got += len(data)
        seen.append((time.monotonic() - begun, len(data)))
    return seen


def last(seen: list[Any]) -> tuple[float, int]:
    """When the last piece came, and how much came in all."""
    pieces = [piece for piece in seen if isinstance(piece, tuple)]
    return pieces[-1][0], sum(size for _, size in pieces)


def ends(*connections: socket.socket, within_s: float = 1.0) -> list[tuple[bytes, str]]:
    return [all_of(connection, within_s) for connection in connections]


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# ---------------------------------------------------------------- how connections end


@scene
def a_client_that_has_finished_hears_nothing_more(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    client.sendall(b"ask")
    client.shutdown(socket.SHUT_WR)
    heard = all_of(server, 1)
    time.sleep(0.1)
    return heard, ends(client)


@scene
def a_server_that_has_finished_hears_nothing_more(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    server.sendall(b"say")
    server.shutdown(socket.SHUT_WR)
    return ends(client, server)


@scene
def a_reset_arrives_as_an_end(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    client.sendall(b"x")
    server.recv(1)
    resets(client)
    client2, server2 = up.pair(port)
    resets(server2)
    return ends(server, client2)


@scene
def an_upstream_that_refuses(api: Api, up: Upstream, port: int) -> Any:
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = free.getsockname()[1]
    api.ask("PATCH", "/proxies/p", {"upstream": f"127.0.0.1:{gone}"})
    return ends(up.connect(port))


@scene
def stopping_closes_and_refuses_and_starting_again_accepts(
    api: Api, up: Upstream, port: int
) -> Any:
    client, server = up.pair(port)
    api.ask("PATCH", "/proxies/p", {"enabled": False})
    seen = ends(client, server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    api.ask("POST", "/reset")
    again, server = up.pair(port)
    again.sendall(b"x")
    return seen, server.recv(1)


@scene
def another_upstream_closes_what_was_open(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    with contextlib.closing(Upstream()) as other:
        api.ask("PATCH", "/proxies/p", {"upstream": f"127.0.0.1:{other.port}"})
        seen = ends(client, server)
        again, server = other.pair(port)
        again.sendall(b"x")
        return seen, server.recv(1)


@scene
def deleting_closes_both_sides(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    status = api.ask("DELETE", "/proxies/p")[0]
    return status, ends(client, server)


# ---------------------------------------------------------------- latency


@scene
def latency_comes_to_open_connections_and_goes(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "latency", latency=400)
    server.sendall(b"a")
    first = arrivals(client, 1)
    server.sendall(b"b")
    time.sleep(0.1)
    api.untoxic("p", "latency_downstream")
    return first, arrivals(client, 1)


@scene
def changing_latency_lets_the_first_piece_go(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "latency", latency=600)
    server.sendall(b"a")
    time.sleep(0.15)
    server.sendall(b"bb")
    time.sleep(0.15)
    api.ask("PATCH", "/proxies/p/toxics/latency_downstream", {"attributes": {"latency": 900}})
    return arrivals(client, 3)


@scene
def a_new_toxic_disturbs_the_last_one(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "latency", latency=600)
    server.sendall(b"a")
    time.sleep(0.1)
    api.toxic("p", "noop")
    return arrivals(client, 1)


@scene
def a_toxic_that_goes_disturbs_the_one_before(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "latency", latency=600)
    api.toxic("p", "noop")
    server.sendall(b"a")
    time.sleep(0.1)
    api.untoxic("p", "noop_downstream")
    return arrivals(client, 1)


@scene
def a_toxic_of_the_other_stream_disturbs_nobody(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "latency", latency=500)
    server.sendall(b"a")
    time.sleep(0.1)
    api.toxic("p", "noop", "upstream")
    return arrivals(client, 1)


@scene
def latencies_add_up_and_the_end_waits_behind_data(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "latency", latency=300)
    body = {"type": "latency", "name": "more", "attributes": {"latency": 300}}
    api.ask("POST", "/proxies/p/toxics", body)
    server.sendall(b"a")
    server.close()
    return arrivals(client, 2)


@scene
def latency_upstream_and_a_client_that_leaves(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "latency", "upstream", latency=400)
    client, server = up.pair(port)
    client.sendall(b"abc")
    client.close()
    return arrivals(server, 4)


@scene
def pieces_keep_their_distances(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "latency", latency=300)
    client, server = up.pair(port)
    for _ in range(3):
        server.sendall(b"a")
        time.sleep(0.2)
    return arrivals(client, 3)


@scene
def negative_and_no_latency_are_none(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "latency", latency=-500)
    client, server = up.pair(port)
    server.sendall(b"a")
    return arrivals(client, 1)


# ---------------------------------------------------------------- bandwidth, slicer


@scene
def bandwidth_in_slices_of_a_tenth_of_a_second(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "bandwidth", rate=20)
    client, server = up.pair(port)
    server.sendall(b"x" * 10_000)
    return arrivals(client, 10_000)


@scene
def bandwidth_over_many_reads(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "bandwidth", rate=1000)
    client, server = up.pair(port)
    server.sendall(b"x" * 600_000)
    return last(arrivals(client, 600_000))


@scene
def bandwidth_that_goes_lets_all_go(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "bandwidth", rate=10)
    client, server = up.pair(port)
    server.sendall(b"x" * 20_000)
    time.sleep(0.25)
    api.untoxic("p", "bandwidth_downstream")
    return last(arrivals(client, 20_000))


@scene
def bandwidth_of_nothing_holds_and_loses_nothing(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "bandwidth", rate=0)
    client, server = up.pair(port)
    server.sendall(b"abc")
    held = arrivals(client, 1, within_s=0.4)
    api.untoxic("p", "bandwidth_downstream")
    return held, arrivals(client, 3)


@scene
def bandwidth_that_changes(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "bandwidth", "upstream", rate=10)
    client, server = up.pair(port)
    client.sendall(b"x" * 4000)
    time.sleep(0.25)
    one = "/proxies/p/toxics/bandwidth_upstream"
    api.ask("PATCH", one, {"attributes": {"rate": 1}})
    client.sendall(b"x" * 200)
    return last(arrivals(server, 4200))


@scene
def slices_of_one_size(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "slicer", average_size=100, size_variation=0, delay=60_000)
    client, server = up.pair(port)
    server.sendall(b"x" * 1000)
    return arrivals(client, 1000)


@scene
def a_slicer_that_goes(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "slicer", average_size=10, size_variation=0, delay=100_000)
    client, server = up.pair(port)
    server.sendall(b"0123456789" * 20)
    time.sleep(0.35)
    api.untoxic("p", "slicer_downstream")
    return last(arrivals(client, 200))


# ---------------------------------------------------------------- timeout, slow_close, reset_peer


@scene
def timeout_loses_data_and_closes_when_it_goes(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "timeout", timeout=0)
    server.sendall(b"lost")
    client.sendall(b"heard")
    seen = server.recv(10), ends(client, within_s=0.4)
    api.untoxic("p", "timeout_downstream")
    return seen, ends(client, server)


@scene
def timeout_that_goes_closes_those_it_spared_too(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "timeout", timeout=0, toxicity=0)
    server.sendall(b"spared")
    seen = arrivals(client, 6)
    api.untoxic("p", "timeout_downstream")
    return seen, ends(client, server)


@scene
def timeout_counts_from_the_last_data(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    begun = time.monotonic()
    api.toxic("p", "timeout", timeout=500)
    time.sleep(0.3)
    server.sendall(b"x")
    seen = ends(client, server, within_s=3)
    return seen, time.monotonic() - begun


@scene
def timeout_lets_the_end_through(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "timeout", timeout=0)
    server.sendall(b"x")
    server.close()
    return ends(client)


@scene
def slow_close_delays_the_end_alone(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "slow_close", delay=500)
    server.sendall(b"x")
    server.close()
    return arrivals(client, 2)


@scene
def slow_close_begins_again_when_it_changes(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "slow_close", delay=500)
    server.close()
    begun = time.monotonic()
    time.sleep(0.3)
    one = "/proxies/p/toxics/slow_close_downstream"
    api.ask("PATCH", one, {"attributes": {"delay": 500}})
    return ends(client, within_s=3), time.monotonic() - begun


@scene
def slow_close_that_goes(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "slow_close", delay=3000)
    server.close()
    begun = time.monotonic()
    time.sleep(0.3)
    api.untoxic("p", "slow_close_downstream")
    return ends(client, within_s=5), time.monotonic() - begun


@scene
def reset_peer_resets_what_began_under_it(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "reset_peer", timeout=300)
    client, server = up.pair(port)
    begun = time.monotonic()
    server.sendall(b"lost")
    return ends(client, server), time.monotonic() - begun


@scene
def reset_peer_upstream(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "reset_peer", "upstream", timeout=0)
    client, server = up.pair(port)
    client.sendall(b"lost")
    return ends(client, server)


@scene
def reset_peer_closes_what_was_open_before(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "reset_peer", timeout=100)
    server.sendall(b"lost")
    return ends(client, server)


@scene
def reset_peer_resets_even_those_it_spares(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "reset_peer", timeout=0, toxicity=0)
    client, server = up.pair(port)
    server.sendall(b"a")
    got = client.recv(10)
    server.close()
    return got, ends(client)


# ---------------------------------------------------------------- limit_data


def limited(sizes: tuple[int, ...], stream: str) -> Scene:
    def play(api: Api, up: Upstream, port: int) -> Any:
        api.toxic("p", "limit_data", stream, bytes=10)
        client, server = up.pair(port)
        sender, receiver = (server, client) if stream == "downstream" else (client, server)
        for size in sizes:
            sender.sendall(b"0123456789abcdef"[:size])
            time.sleep(0.05)
        return all_of(receiver, 0.5), all_of(sender, 0.5)

    play.__name__ = f"limit_data_{stream}_{'_'.join(map(str, sizes))}"
    return play


for _stream in ("upstream", "downstream"):
    for _sizes in ((9,), (10,), (11,), (4, 6), (9, 2), (5, 4)):
        scene(limited(_sizes, _stream))


@scene
def limit_data_of_nothing_closes_with_the_first_data(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "limit_data", bytes=0)
    client, server = up.pair(port)
    before = ends(client, within_s=0.3)
    server.sendall(b"x")
    return before, ends(client, server)


@scene
def limit_data_counts_from_its_coming_and_over_its_changes(
    api: Api, up: Upstream, port: int
) -> Any:
    client, server = up.pair(port)
    server.sendall(b"before")
    seen = [client.recv(10)]
    api.toxic("p", "limit_data", bytes=10)
    server.sendall(b"12345678")
    seen.append(client.recv(10))
    one = "/proxies/p/toxics/limit_data_downstream"
    api.ask("PATCH", one, {"attributes": {"bytes": 12}})
    server.sendall(b"abcdefgh")
    return seen, ends(client, server)


@scene
def limit_data_lowered_below_what_passed(api: Api, up: Upstream, port: int) -> Any:
    client, server = up.pair(port)
    api.toxic("p", "limit_data", bytes=100)
    server.sendall(b"12345678")
    seen = client.recv(10)
    one = "/proxies/p/toxics/limit_data_downstream"
    api.ask("PATCH", one, {"attributes": {"bytes": 5}})
    open_still = ends(client, within_s=0.3)
    server.sendall(b"x")
    return seen, open_still, ends(client, server)


@scene
def limit_data_behind_latency_and_slicer(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "latency", latency=200)
    api.toxic("p", "slicer", average_size=4, size_variation=0, delay=10_000)
    api.toxic("p", "limit_data", bytes=10)
    client, server = up.pair(port)
    server.sendall(b"0123456789abcdef")
    return ends(client, server)


@scene
def limit_data_before_latency(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "limit_data", bytes=3)
    api.toxic("p", "latency", latency=400)
    client, server = up.pair(port)
    server.sendall(b"0123456789abcdef")
    return arrivals(client, 4)


# ---------------------------------------------------------------- numbers at their ends


def less_than_nothing(kind: str, **numbers: int) -> Scene:
    def play(api: Api, up: Upstream, port: int) -> Any:
        api.toxic("p", kind, **numbers)
        client, server = up.pair(port)
        server.sendall(b"0123456789")
        seen = arrivals(client, 10, within_s=0.6)
        server.close()
        return seen, ends(client)

    play.__name__ = f"{kind}_{'_'.join(f'{k}_{v}' for k, v in numbers.items())}".replace(
        "-", "minus_"
    )
    return play


for _kind, _numbers in (
    ("latency", {"latency": 100, "jitter": -50}), ("slow_close", {"delay": -500}),
    ("timeout", {"timeout": -5}), ("limit_data", {"bytes": -1}), ("reset_peer", {"timeout": -1}),
    ("slicer", {"average_size": 10, "delay": -5}), ("bandwidth", {"rate": 1 << 40}),
    ("limit_data", {"bytes": (1 << 63) - 1}), ("slicer", {"average_size": 1 << 62}),
    ("latency", {"latency": 9_000_000_000_000}), ("timeout", {"timeout": 9_000_000_000_000}),
):  # fmt: skip
    scene(less_than_nothing(_kind, **_numbers))


@scene
def toxicity_below_none_and_above_all(api: Api, up: Upstream, port: int) -> Any:
    api.toxic("p", "limit_data", bytes=0, toxicity=-1)
    client, server = up.pair(port)
    server.sendall(b"spared")
    spared = arrivals(client, 6)
    api.untoxic("p", "limit_data_downstream")
    api.toxic("p", "limit_data", bytes=0, toxicity=5)
    client, server = up.pair(port)
    server.sendall(b"cut")
    return spared, ends(client, server)


# ---------------------------------------------------------------- addresses


@scene
def upstreams_that_are_none(api: Api, up: Upstream, port: int) -> Any:
    seen = []
    for upstream in (
        "unix:///tmp/x",
        "/tmp/x.sock",
        "nobody.invalid:1",
        "127.0.0.1",
        "x:y:z",
        "127.1:1",
    ):
        status = api.ask("PATCH", "/proxies/p", {"upstream": upstream})[0]
        seen.append((status, ends(up.connect(port), within_s=5)))
    return seen


@scene
def over_ip_of_version_6(api: Api, up: Upstream, port: int) -> Any:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        body = {"listen": "[::1]:0", "upstream": f"[::1]:{listener.getsockname()[1]}"}
        to = int(api.ask("PATCH", "/proxies/p", body)[1]["listen"].rpartition(":")[2])
        listener.settimeout(5)
        with socket.create_connection(("::1", to), 5) as client, listener.accept()[0] as server:
            client.sendall(b"ask")
            return server.recv(3)


@scene
def deleted_under_traffic(api: Api, up: Upstream, port: int) -> Any:
    """Whatever was on its way, both ends see an end, and the port is free."""
    api.toxic("p", "bandwidth", rate=500)
    client, server = up.pair(port)
    server.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            server.send(bytes(1 << 16))
    status = api.ask("DELETE", "/proxies/p")[0]
    how = all_of(client, 5)[1], all_of(server, 5)[1]
    with socket.create_server(("127.0.0.1", port)):
        return status, "open" in how


# ---------------------------------------------------------------- shares


@pytest.mark.parametrize("which", [OURS, REAL])
def test_toxicity_is_a_share_of_connections(which: str) -> None:
    with running(which) as api, contextlib.closing(Upstream()) as upstream:
        port = api.proxy("p", upstream.port)
        api.toxic("p", "limit_data", bytes=0, toxicity=0.3)
        cut = 0
        for _ in range(200):
            client, server = upstream.pair(port)
            server.sendall(b"x")
            client.settimeout(5)
            cut += client.recv(1) == b""
            client.close()
            server.close()
    assert 29 <= cut <= 95, "outside by chance once in 10^6"
