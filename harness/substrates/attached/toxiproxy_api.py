"""One Toxiproxy server by its HTTP API: toxiproxy-python's objects, and our own way to talk.

The library's own client has one endpoint for the whole process and no timeouts, takes a failed
delete for a successful one, and knows no update; here each server is a value of its own, every call
ends, whatever goes wrong is a `ToxiproxyError`, and names may hold any character.
"""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import quote

import requests
from toxiproxy.proxy import Proxy
from toxiproxy.toxic import Toxic

from harness.agent.protocol import Failed

TIMEOUT_S = 3.0
_MISSING = 404


class ToxiproxyError(Failed):
    """The server refused, failed, did not answer, or is not one. `target_gone`: nobody listens at
    its address any more, so that every proxy and toxic of it is gone as well."""

    def __init__(self, message: str, *, target_gone: bool = False) -> None:
        super().__init__(message)
        self.target_gone = target_gone


class Unanswered(ToxiproxyError):
    """In time. The server changes and shows a proxy's toxics only when each of its connections has
    moved on, and one that takes nothing can hold it up for hours."""


class Server:
    """The API at a URL. Calls may come from any thread, and are made one at a time."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._turn = threading.Lock()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy of the environment is on the way to a proxy

    def version(self) -> str:
        return str(_field(self._ask("GET", "/version"), "version", self._url))

    def proxies(self) -> tuple[Proxy, ...]:
        found = self._ask("GET", "/proxies")
        if not isinstance(found, dict):
            raise self._odd(found)
        return tuple(self._proxy(each) for each in found.values())

    def proxy(self, name: str) -> Proxy | None:
        found = self._ask("GET", _path(name), missing=True)
        return None if found is None else self._proxy(found)

    def create(self, name: str, listen: str, upstream: str, enabled: bool = True) -> Proxy:
        given = {"name": name, "listen": listen, "upstream": upstream, "enabled": enabled}
        return self._proxy(self._ask("POST", "/proxies", given))

    def enable(self, name: str, enabled: bool) -> None:
        self._ask("PATCH", _path(name), {"enabled": enabled})

    def delete(self, name: str) -> None:
        """With all its connections, held up or not. One that is not there is deleted."""
        self._ask("DELETE", _path(name), missing=True)

    def toxics(self, proxy: str) -> tuple[Toxic, ...]:
        """In the order in which they act; of a proxy that is not there, none."""
        found = self._ask("GET", _path(proxy, "toxics"), missing=True) or []
        if not isinstance(found, list):
            raise self._odd(found)
        return tuple(self._toxic(each) for each in found)

    def add(self, proxy: str, toxic: Toxic) -> None:
        self._ask("POST", _path(proxy, "toxics"), vars(toxic))

    def update(self, proxy: str, toxic: Toxic) -> None:
        """Its numbers; the rest of a toxic stays as it was added."""
        changed = {"attributes": toxic.attributes, "toxicity": toxic.toxicity}
        self._ask("PATCH", _path(proxy, "toxics", toxic.name), changed)

    def remove(self, proxy: str, toxic: str) -> None:
        """One that is not there is removed."""
        self._ask("DELETE", _path(proxy, "toxics", toxic), missing=True)

    # ------------------------------------------------------------ helpers

    def _ask(self, method: str, path: str, json: Any = None, *, missing: bool = False) -> Any:
        """The answer's JSON; None of a deletion, and with `missing` for a 404."""
        url = self._url + path
        try:
            with self._turn:
                answer = self._session.request(
                    method, url, json=json, timeout=self._timeout_s, allow_redirects=False
                )
        except requests.exceptions.RequestException as error:
            raise _unanswered(method, url, error) from None
        if answer.status_code == _MISSING and missing and '"error"' in answer.text:
            return None  # its own words: any other web server has a 404, too
        if not answer.ok or answer.is_redirect:
            why = f"{answer.status_code} {answer.text.strip()[:200]}"
            raise ToxiproxyError(f"{method} {url}: {why}")
        if method == "DELETE":
            return None
        try:
            return answer.json()
        except ValueError:
            raise self._odd(answer.text) from None

    def _proxy(self, found: Any) -> Proxy:
        try:
            return Proxy(**found)
        except (TypeError, KeyError):
            raise self._odd(found) from None

    def _toxic(self, found: Any) -> Toxic:
        try:
            return Toxic(**found)
        except (TypeError, KeyError):
            raise self._odd(found) from None

    def _odd(self, found: object) -> ToxiproxyError:
        return ToxiproxyError(f"{self._url} does not answer as a Toxiproxy does: {found!r:.200}")


def _path(*parts: str) -> str:
    return "/proxies/" + "/".join(
        part if i == 1 else quote(part, safe="") for i, part in enumerate(parts)
    )


def _field(found: Any, name: str, url: str) -> Any:
    if not isinstance(found, dict) or name not in found:
        raise ToxiproxyError(f"{url} does not answer as a Toxiproxy does: {found!r:.200}")
    return found[name]


def _unanswered(method: str, url: str, error: Exception) -> ToxiproxyError:
    refused = isinstance(error, requests.exceptions.ConnectionError) and "refused" in str(error)
    if refused:
        return ToxiproxyError(f"nothing listens at {url}", target_gone=True)
    late = isinstance(error, requests.exceptions.Timeout)
    kind = Unanswered if late else ToxiproxyError
    return kind(f"{method} {url}: {type(error).__name__}: {error}"[:300])
