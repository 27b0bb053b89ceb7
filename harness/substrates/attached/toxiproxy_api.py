"""One Toxiproxy server by its HTTP API: toxiproxy-python's objects, and our own way to talk.

The library's own client has one endpoint for the whole process and no timeouts, takes a failed
delete for a successful one, and knows no update; here each server is a value of its own, every call
ends, whatever goes wrong is a `ToxiproxyError`, and names may hold any character.
"""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import quote

import requests
from toxiproxy.proxy import Proxy
from toxiproxy.toxic import Toxic

from harness.agent.protocol import Failed

TIMEOUT_S = 3.0
_MISSING = 404
_LEAST = (2, 6)  # from there on toxics and proxies can be changed by PATCH
#: As JSON, as bare text, and as the broken JSON of 2.2 to 2.6; `git` of whoever builds it himself.
_VERSION = re.compile(r"\W*(?:version)?\W*v?(git|\d+(?:\.\d+)*)[\w.+-]*\W*n?\W*")


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
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._turn = threading.Lock()
        self._session = requests.Session()
        # One that the server has just closed for idling would take a POST with it.
        self._session.headers["Connection"] = "close"
        self._session.trust_env = False  # no proxy of the environment is on the way to a proxy

    def version(self) -> str:
        """Raises `ToxiproxyError` for one that is too old."""
        said = self._answer("GET", "/version").text
        found = _VERSION.fullmatch(said)
        if not found:
            raise self._odd(said)
        if found[1] != "git" and tuple(map(int, found[1].split("."))) < _LEAST:
            least = ".".join(map(str, _LEAST))
            raise ToxiproxyError(f"{self.url} is a Toxiproxy {found[1]}; {least} is needed")
        return found[1]

    def proxies(self) -> tuple[Proxy, ...]:
        found = self._ask("GET", "/proxies")
        if not isinstance(found, dict):
            raise self._odd(found)
        return tuple(self._proxy(each) for each in found.values())

    def proxy(self, name: str) -> Proxy | None:
        found = self._ask("GET", path_of(name), missing=True)
        return None if found is None else self._proxy(found)

    def create(self, name: str, listen: str, upstream: str, enabled: bool = True) -> Proxy:
        given = {"name": name, "listen": listen, "upstream": upstream, "enabled": enabled}
        return self._proxy(self._ask("POST", "/proxies", given))

    def enable(self, name: str, enabled: bool) -> None:
        self._ask("PATCH", path_of(name), {"enabled": enabled})

    def delete(self, name: str) -> None:
        """With all its connections, held up or not. One that is not there is deleted."""
        self._ask("DELETE", path_of(name), missing=True)

    def toxics(self, proxy: str) -> tuple[Toxic, ...]:
        """In the order in which they act; of a proxy that is not there, none."""
        found = self._ask("GET", path_of(proxy, "toxics"), missing=True) or []
        if not isinstance(found, list):
            raise self._odd(found)
        return tuple(self._toxic(each) for each in found)

    def add(self, proxy: str, toxic: Toxic) -> None:
        self._ask("POST", path_of(proxy, "toxics"), vars(toxic))

    def update(self, proxy: str, toxic: Toxic) -> None:
        """Its numbers; the rest of a toxic stays as it was added."""
        changed = {"attributes": toxic.attributes, "toxicity": toxic.toxicity}
        self._ask("PATCH", path_of(proxy, "toxics", toxic.name), changed)

    def remove(self, proxy: str, toxic: str) -> None:
        """One that is not there is removed."""
        self._ask("DELETE", path_of(proxy, "toxics", toxic), missing=True)

    # ------------------------------------------------------------ helpers

    def _ask(self, method: str, path: str, json: Any = None, *, missing: bool = False) -> Any:
        """The answer's JSON; None of a deletion, and with `missing` for a 404."""
        answer = self._answer(method, path, json, missing=missing)
        if method == "DELETE" or answer.status_code == _MISSING:
            return None
        try:
            return answer.json()
        except ValueError:
            raise self._odd(answer.text) from None

    def _answer(
        self, method: str, path: str, json: Any = None, *, missing: bool = False
    ) -> requests.Response:
        url = self.url + path
        try:
            with self._turn:
                answer = self._session.request(
                    method, url, json=json, timeout=self._timeout_s, allow_redirects=False
                )
        except requests.exceptions.RequestException as error:
            raise self._unanswered(method, url, error) from None
        if answer.status_code == _MISSING and missing and '"error"' in answer.text:
            return answer  # its own words: any other web server has a 404, too
        if not answer.ok or answer.is_redirect:
            why = f"{answer.status_code} {answer.text.strip()[:200]}"
            raise ToxiproxyError(f"{method} {url}: {why}")
        return answer

    def _unanswered(self, method: str, url: str, error: Exception) -> ToxiproxyError:
        if isinstance(error, requests.exceptions.Timeout):
            return Unanswered(f"{method} {url}: no answer within {self._timeout_s:g} s")
        if isinstance(error, ValueError):
            return ToxiproxyError(f"{self.url} is no URL of HTTP")
        why = getattr(error.args[0], "reason", error) if error.args else error
        if "refused" in str(why):
            return ToxiproxyError(f"nothing listens at {self.url}", target_gone=True)
        return ToxiproxyError(f"{method} {url}: {str(why).rpartition('): ')[2]}"[:300])

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
        return ToxiproxyError(f"{self.url} does not answer as a Toxiproxy does: {found!r:.200}")


def path_of(*parts: str) -> str:
    """Of a proxy, its toxics, or one of them; names may hold anything."""
    return "/proxies/" + "/".join(
        part if i == 1 else quote(part, safe="") for i, part in enumerate(parts)
    )
