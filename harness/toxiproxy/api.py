"""Toxiproxy's HTTP API: routes and what they do, status for status and key for key."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from harness.toxiproxy import gojson, toxics
from harness.toxiproxy.answers import Answer, Request, refused, request_id, shown, text
from harness.toxiproxy.bodies import fill, read
from harness.toxiproxy.collection import Collection
from harness.toxiproxy.errors import ApiError, bad_body, missing
from harness.toxiproxy.metrics import CONTENT_TYPE, Metrics
from harness.toxiproxy.proxies import Proxy

VERSION = "2.12.0"

Handler = Callable[[bytes, tuple[str, ...]], Awaitable[Answer]]
Route = tuple[tuple[str, ...], re.Pattern[str], Handler]


class Api:
    """`routes` are tried in their order; others may be appended."""

    def __init__(self, proxies: Collection, metrics: Metrics) -> None:
        self._proxies, self._metrics = proxies, metrics
        one, toxic = "/proxies/([^/]+)", "/proxies/([^/]+)/toxics/([^/]+)"
        self.routes: list[Route] = [
            route("POST", "/reset", self._reset),
            route("GET", "/proxies", self._index),
            route("POST", "/proxies", self._create),
            route("POST", "/populate", self._populate),
            route("GET", one, self._show),
            route("POST PATCH", one, self._update),
            route("DELETE", one, self._delete),
            route("GET", f"{one}/toxics", self._toxics),
            route("POST", f"{one}/toxics", self._add_toxic),
            route("GET", toxic, self._show_toxic),
            route("POST PATCH", toxic, self._update_toxic),
            route("DELETE", toxic, self._delete_toxic),
            route("GET", "/version", self._version),
        ]
        if metrics.wanted:
            self.routes.append(route("", "/metrics", self._show_metrics))

    async def answer(self, request: Request) -> Answer:
        clean = _clean(request.path)
        if clean != request.path:
            where = quote(clean, safe="/:@$&+,;=~") + request.query
            return Answer(301, headers=(("Location", where),))
        found = [(r, match) for r in self.routes if (match := r[1].fullmatch(request.path))]
        for (methods, _, handler), match in found:
            if not methods or request.method in methods:
                answer = await self._handled(request, handler, match.groups())
                named = ("X-Toxiproxy-Request-Id", request_id())
                return Answer(answer.status, answer.body, (*answer.headers, named))
        return Answer(405) if found else text("404 page not found", 404)

    async def _handled(self, request: Request, handler: Handler, names: tuple[str, ...]) -> Answer:
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            return text("User agent not allowed", 403)
        try:
            return await handler(request.body, names)
        except ApiError as error:
            return refused(error)

    # ------------------------------------------------------------ all of it

    async def _reset(self, _body: bytes, _names: tuple[str, ...]) -> Answer:
        await self._proxies.reset()
        return Answer(204)

    async def _version(self, _body: bytes, _names: tuple[str, ...]) -> Answer:
        body = f'{{"version": "{VERSION}"}}\n'.encode()
        return Answer(200, body, (("Content-Type", "application/json;charset=utf-8"),))

    async def _show_metrics(self, _body: bytes, _names: tuple[str, ...]) -> Answer:
        return Answer(200, self._metrics.text().encode(), (("Content-Type", CONTENT_TYPE),))

    # ------------------------------------------------------------ proxies

    async def _index(self, _body: bytes, _names: tuple[str, ...]) -> Answer:
        return shown({name: proxy.shown() for name, proxy in self._proxies.all().items()})

    async def _create(self, body: bytes, _names: tuple[str, ...]) -> Answer:
        values = {**_NOTHING, "enabled": True}
        fill(read(body), _FIELDS, values)
        for field in ("name", "upstream"):
            if not values[field]:
                raise missing(field)
        proxy = self._proxies.new(values["name"], values["listen"], values["upstream"])
        await self._proxies.add(proxy, values["enabled"])
        return shown(proxy.shown(), 201)

    async def _populate(self, body: bytes, _names: tuple[str, ...]) -> Answer:
        made, error = await populate(self._proxies, body)
        said = {} if error is None else {"error": error.message, "status": error.status}
        listed = [proxy.shown() for proxy in made] or None
        return shown({**said, "proxies": listed}, 201 if error is None else error.status)

    async def _show(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        return shown(self._proxies.get(names[0]).shown())

    async def _update(self, body: bytes, names: tuple[str, ...]) -> Answer:
        proxy = self._proxies.get(names[0])
        values: dict[str, Any] = {
            "listen": proxy.listen,
            "upstream": proxy.upstream,
            "enabled": proxy.enabled,
        }
        fill(read(body), _FIELDS, values)
        await self._proxies.update(
            names[0], values["listen"], values["upstream"], values["enabled"]
        )
        return shown(proxy.shown())

    async def _delete(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        await self._proxies.remove(names[0])
        return Answer(204)

    # ------------------------------------------------------------ toxics

    async def _toxics(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        return shown([toxic.shown() for toxic in self._proxies.get(names[0]).toxics.all()])

    async def _add_toxic(self, body: bytes, names: tuple[str, ...]) -> Answer:
        of_proxy = self._proxies.get(names[0]).toxics
        toxic = toxics.new(body)
        of_proxy.add(toxic)
        return shown(toxic.shown())

    async def _show_toxic(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        return shown(self._proxies.get(names[0]).toxics.get(names[1]).shown())

    async def _update_toxic(self, body: bytes, names: tuple[str, ...]) -> Answer:
        of_proxy = self._proxies.get(names[0]).toxics
        toxic = of_proxy.get(names[1])
        toxics.update(toxic, body)
        of_proxy.change(toxic)
        return shown(toxic.shown())

    async def _delete_toxic(self, _body: bytes, names: tuple[str, ...]) -> Answer:
        self._proxies.get(names[0]).toxics.remove(names[1])
        return Answer(204)


async def populate(proxies: Collection, body: bytes) -> tuple[list[Proxy], ApiError | None]:
    """What was made, and what went wrong then. Nothing is made of a list that is wrong itself."""
    made: list[Proxy] = []
    try:
        for values in _wanted(body):
            proxy = proxies.new(values["name"], values["listen"], values["upstream"])
            made.append(await proxies.replace(proxy, values["enabled"]))
    except ApiError as error:
        return made, error
    return made, None


def _wanted(body: bytes) -> list[dict[str, Any]]:
    listed = read(body)
    if not isinstance(listed, (list, type(None))):
        raise bad_body(f"cannot unmarshal {gojson.kind(listed)} into a list of proxies")
    wanted = []
    for item in listed or ():
        wanted.append({**_NOTHING, "enabled": True})
        fill(item, _FIELDS, wanted[-1])
    for number, values in enumerate(wanted, 1):
        for field in ("name", "upstream"):
            if not values[field]:
                raise missing(f"{field} at proxy {number}")
    return wanted


def route(methods: str, path: str, handler: Handler) -> Route:
    """No method means any."""
    return tuple(methods.split()), re.compile(path, re.DOTALL), handler


_NOTHING: dict[str, Any] = {"name": "", "listen": "", "upstream": ""}
_FIELDS: dict[str, gojson.Field] = {
    "name": gojson.a_string,
    "listen": gojson.a_string,
    "upstream": gojson.a_string,
    "enabled": gojson.a_bool,
    "Logger": gojson.an_object,
}


def _clean(path: str) -> str:
    """Without `//`, `.` and `..`; a slash at the end stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean
