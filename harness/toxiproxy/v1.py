"""Beyond Toxiproxy, under `/v1`: toxics that end by themselves and follow curves, further
listeners, records of connections, UDP. Here a field that nobody knows is an error."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from harness.agent.effects import Curve
from harness.toxiproxy import gojson, toxics
from harness.toxiproxy.answers import Answer, told
from harness.toxiproxy.api import Route, route
from harness.toxiproxy.collection import Collection
from harness.toxiproxy.errors import bad_body, missing
from harness.toxiproxy.proxies import Proxy
from harness.toxiproxy.toxics import Toxic
from harness.toxiproxy.udp import Flows, Way

_LONGEST_MS = 1e10
_MOST = 1e15


class V1:
    def __init__(self, proxies: Collection, flows: Flows) -> None:
        self._proxies, self._flows = proxies, flows
        one = "/v1/proxies/([^/]+)"
        self.routes: list[Route] = [
            route("GET", one, self._show),
            route("POST", f"{one}/toxics", self._add_toxic),
            route("POST", f"{one}/listeners", self._add_listener),
            route("DELETE", f"{one}/listeners/([^/]+)", self._delete_listener),
            route("GET", f"{one}/connections", self._connections),
            route("GET", "/v1/udp", self._udp_index),
            route("POST", "/v1/udp", self._udp_create),
            route("PATCH", "/v1/udp/([^/]+)", self._udp_change),
            route("DELETE", "/v1/udp/([^/]+)", self._udp_delete),
        ]

    # ------------------------------------------------------------ proxies of TCP

    async def _show(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        return told(_shown(self._proxies.get(names[0])))

    async def _add_toxic(self, body: bytes, names: tuple[str, ...]) -> Answer:
        proxy = self._proxies.get(names[0])
        values = _strictly(body, _TOXIC)
        toxic = toxics.new(body, beyond=a_curve)
        ends = values.get("ends_after_ms")
        proxy.toxics.add(toxic)
        if ends is not None:
            toxic.ends_at = toxic.since + ends / 1000
            asyncio.get_running_loop().call_later(ends / 1000, _end, proxy, toxic)
        return told(_toxic(toxic))

    async def _add_listener(self, body: bytes, names: tuple[str, ...]) -> Answer:
        self._proxies.get(names[0])
        values = _strictly(body, {"listen": gojson.a_string})
        if not values.get("listen"):
            raise missing("listen")
        return told(_shown(await self._proxies.listen_too(names[0], values["listen"])))

    async def _delete_listener(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        await self._proxies.listen_less(*names)
        return Answer(204)

    async def _connections(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        return told([one.shown() for one in self._proxies.get(names[0]).records.all()])

    # ------------------------------------------------------------ UDP

    async def _udp_index(self, _body: bytes, _names: tuple[str, ...]) -> Answer:
        return told([proxy.shown() for proxy in self._flows.all()])

    async def _udp_create(self, body: bytes, _names: tuple[str, ...]) -> Answer:
        values = {"listen": "127.0.0.1:0", **_strictly(body, _UDP)}
        for field in ("name", "upstream"):
            if not values.get(field):
                raise missing(field)
        return told((await self._flows.add(**values)).shown(), 201)

    async def _udp_change(self, body: bytes, names: tuple[str, ...]) -> Answer:
        ways: dict[str, gojson.Field] = {"forth": a_way, "back": a_way}
        proxy = self._flows.get(names[0])
        proxy.change(**_strictly(body, ways))
        return told(proxy.shown())

    async def _udp_delete(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        self._flows.remove(names[0])
        return Answer(204)


def _shown(proxy: Proxy) -> dict[str, Any]:
    return {
        "name": proxy.name,
        "listeners": [proxy.listen, *proxy.more],
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "toxics": [_toxic(toxic) for toxic in proxy.toxics.all()],
    }


def _toxic(toxic: Toxic) -> dict[str, Any]:
    """`met` counts connections."""
    return {**toxic.shown(), "ends_in_ms": toxic.ends_in_ms, "met": toxic.met}


def _end(proxy: Proxy, toxic: Toxic) -> None:
    """Its time is over, if it is still there; another of the same name is not meant."""
    if toxic in proxy.toxics.all():
        proxy.toxics.remove(toxic.name)


# ---------------------------------------------------------------- what a body says


def a_number(value: Any) -> float:
    if not isinstance(value, gojson.Number):
        raise gojson.Wrong(f"{gojson.kind(value)} is no number")
    if not abs(number := float(value)) <= _MOST:
        raise gojson.Wrong(f"{value} is more than {_MOST:g}")
    return number


def milliseconds(value: Any) -> float:
    number = a_number(value)
    if not 0 < number <= _LONGEST_MS:
        raise gojson.Wrong(f"{number:g} ms is not between 0 and {_LONGEST_MS:g}")
    return number


def seconds(value: Any) -> float:
    if (number := a_number(value)) < 0:
        raise gojson.Wrong(f"{number:g} s is less than none")
    return number


def a_curve(value: Any) -> Curve:
    """A number; or `points` of [seconds, number], joined by lines unless not `smooth`, beginning
    anew `every` so many seconds."""
    if not isinstance(value, tuple):
        return Curve.constant(a_number(value))
    fields: dict[str, gojson.Field] = {
        "points": _points,
        "smooth": gojson.a_bool,
        "every": seconds,
    }
    values = _known(value, fields)
    if "points" not in values:
        raise gojson.Wrong("a curve needs points")
    return Curve(**values)


def _points(value: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, list) or not value:
        raise gojson.Wrong("points are a list of [seconds, number]")
    points = tuple(_point(item) for item in value)
    if points[0][0] != 0 or any(a[0] >= b[0] for a, b in itertools.pairwise(points)):
        raise gojson.Wrong("points begin at 0 s and go on in time")
    return points


def _point(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise gojson.Wrong("a point is [seconds, number]")
    return a_number(value[0]), a_number(value[1])


def a_way(value: Any) -> Way:
    """What is done to datagrams one way: `latency` and `jitter` in ms, `loss` from 0 to 1."""
    return Way(**_known(value, dict.fromkeys(("latency", "jitter", "loss"), a_curve)))


_TOXIC: dict[str, gojson.Field] = {
    **{name: lambda value: value for name in ("name", "type", "stream", "toxicity", "attributes")},
    "ends_after_ms": milliseconds,
}
_UDP: dict[str, gojson.Field] = {
    **dict.fromkeys(("name", "listen", "upstream"), gojson.a_string),
    **dict.fromkeys(("forth", "back"), a_way),
}


def _strictly(body: bytes, fields: dict[str, gojson.Field]) -> dict[str, Any]:
    """Raises `ApiError` (400)."""
    try:
        return _known(gojson.read(body), fields)
    except gojson.Wrong as error:
        raise bad_body(error) from None


def _known(value: Any, fields: dict[str, gojson.Field]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, given in gojson.members(value):
        if name not in fields:
            raise gojson.Wrong(f"unknown field {name}; there are {', '.join(fields)}")
        if name in values:
            raise gojson.Wrong(f"{name} twice")
        try:
            values[name] = fields[name](given)
        except gojson.Wrong as error:
            raise gojson.Wrong(f"{name}: {error}") from None
    return values
