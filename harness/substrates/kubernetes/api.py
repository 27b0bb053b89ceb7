"""One way to the API server: every call has a timeout, what may be tried again is, a few times.

Answers are plain JSON, which `objects` turns into frozen values: the client's own models refuse the
fields that a newer server sends, and cost more time than the server does.

    ┌ 429, 500, 502, 503, 504, no connection   tried again for up to `PATIENCE_S`
    ├ a certificate that is not to be trusted  not tried again: time does not mend it
    ├ no answer for all of that time           each call is tried once, shortly, until there is one
    ├ 409 to a patch                           tried again: it was crossed
    ├ 409 to a create that was tried again     it had been made: fine
    ├ 404 to a delete                          it is gone: fine
    └ 410 to a list                            read anew from the beginning
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    stop_when_event_set,
    wait_exponential,
)
from tenacity.nap import sleep_using_event

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.client.rest import RESTResponse

Json = dict[str, Any]
T = TypeVar("T")

CONNECT_S, READ_S = 3.0, 10.0
PATIENCE_S = 20.0
PAGE = 500
_AGAIN = (0, 429, 500, 502, 503, 504)
_GONE, _CONFLICT = 410, 409
UNTRUSTED = "Untrusted"
_MERGE = "application/merge-patch+json"
#: Lists are joined by the names of their entries.
STRATEGIC = "application/strategic-merge-patch+json"


class ApiError(Exception):
    """What the server answered. `status` 0: it could not be reached, or did not answer in time."""

    def __init__(self, status: int, reason: str, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def told(self) -> str:
        return f"{self} (HTTP {self.status})" if self.status else str(self)


class Api:
    """May be used from any thread. `abort` ends waits between tries."""

    def __init__(self, configuration: Configuration, patience_s: float = PATIENCE_S) -> None:
        from kubernetes.client import ApiClient

        self.configuration = configuration
        self.abort = threading.Event()
        self._client: ApiClient = ApiClient(configuration)
        self._patience_s = patience_s
        self._lost_at = 0.0
        self._leaving = False
        self._last_try = threading.Semaphore(1 << 30)

    def leave(self) -> None:
        """From now on a server that has been silent for all our patience is tried once more, and
        then no longer: whoever goes has many things to say, and each would wait for it."""
        if not self._leaving:
            self._leaving = True
            self._last_try = threading.Semaphore(1)

    @property
    def given_up(self) -> bool:
        return self._leaving and not self._patience_left_s()

    def get(self, path: str, **query: str) -> Json:
        return self._patiently("GET", path, query=query)

    def text(self, path: str) -> str:
        """What is no JSON: a container's log."""
        status, _, data = self._exchange("GET", path, {}, None, "application/json", READ_S)
        if not 200 <= status < 300:
            raise ApiError(status, "", data[:200].decode(errors="replace"))
        return data.decode(errors="replace")

    def find(self, path: str) -> Json | None:
        """None when there is no such thing."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def ensure(self, path: str, body: Json) -> None:
        """An object of the collection at `path`, where nobody has made one of its name."""
        if self.find(f"{path}/{body['metadata']['name']}") is None:
            self.create(path, body)

    def items(self, path: str, **query: str) -> Iterator[Json]:
        """Every object of a list, page by page; begun anew, twice at most, when it expired."""
        seen: set[str] = set()
        for attempt in range(3):
            try:
                for item in self._pages(path, query):
                    if (uid := item["metadata"].get("uid", "")) not in seen:
                        seen.add(uid)
                        yield item
            except ApiError as error:
                if error.status != _GONE or attempt == 2:
                    raise
            else:
                return

    def create(self, path: str, body: Json) -> Json:
        """Names are unique, so one that is there after a second try was made by the first."""
        tries: list[int] = []

        def once() -> Json:
            tries.append(1)
            return self.once("POST", path, body=body)

        try:
            return self.patiently(once)
        except ApiError as error:
            if error.reason == "AlreadyExists" and len(tries) > 1:
                return self.get(f"{path}/{body['metadata']['name']}")
            raise

    def replace(self, path: str, body: Json) -> Json:
        """Refused with 409 when somebody else has changed it since it was read."""
        return self._patiently("PUT", path, body=body)

    def patch(self, path: str, body: Json, kind: str = _MERGE) -> Json:
        """What it says holds whatever was before, so that one which was crossed is made again."""
        again = (*_AGAIN, _CONFLICT)
        return self.patiently(lambda: self.once("PATCH", path, body=body, kind=kind), again)

    def delete(self, path: str, **options: Any) -> None:
        try:
            self._patiently("DELETE", path, body={"kind": "DeleteOptions", **options})
        except ApiError as error:
            if error.status != 404:
                raise

    def once(
        self, method: str, path: str, *, query: dict[str, str] | None = None,
        body: Json | None = None, kind: str = "application/json", read_s: float = READ_S,
    ) -> Json:  # fmt: skip
        """One try: raises `ApiError` for whatever is no success."""
        status, headers, data = self._exchange(method, path, query or {}, body, kind, read_s)
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            answer = {"message": data[:200].decode(errors="replace")}
        if not isinstance(answer, dict):
            answer = {"message": str(answer)}
        if 200 <= status < 300:
            return answer
        asked = headers.get("Retry-After", "")
        wait_s = float(asked) if asked.isdigit() else 0.0  # it may be a date
        message = answer.get("message") or f"{method} {path} was answered with {status}"
        raise ApiError(status, str(answer.get("reason", "")), str(message), wait_s)

    def lines(self, path: str, query: dict[str, str], read_s: float) -> Iterator[bytes]:
        """Whole lines of an answer as they come, with at most `read_s` between them; it ends when
        the server ends it. That it answers at all is known when this returns. A cut in the middle
        raises `ApiError`, as everything else, but tells nothing of how long the server has been
        silent."""
        answer = self._opened("GET", path, query, None, "application/json", read_s)
        if not 200 <= answer.status < 300:
            with contextlib.closing(answer.response), self._told(0.0):
                said = answer.response.data[:200].decode(errors="replace")
                raise ApiError(answer.status, "", said)
        return self._lines_of(answer)

    def _lines_of(self, answer: RESTResponse) -> Iterator[bytes]:
        rest = b""
        try:
            with self._told(0.0):
                for data in answer.response.stream(amt=None, decode_content=True):
                    *whole, rest = (rest + data).split(b"\n")
                    yield from whole
        finally:
            answer.response.close()

    def patiently(self, once: Callable[[], T], again: tuple[int, ...] = _AGAIN) -> T:
        """As often as may help, for as long as our patience lasts."""
        tries = Retrying(
            stop=stop_after_delay(self._patience_left_s()) | stop_when_event_set(self.abort),
            wait=_wait,
            retry=retry_if_exception(lambda error: _may_pass(error, again)),
            sleep=sleep_using_event(self.abort),
            reraise=True,
        )
        found: T = tries(once)
        return found

    # ------------------------------------------------------------ helpers

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[Json]:
        after = ""
        while True:
            page = self.get(
                path, **query, limit=str(PAGE), **({"continue": after} if after else {})
            )
            yield from page.get("items") or ()
            after = page["metadata"].get("continue", "")
            if not after:
                return

    def _patiently(self, method: str, path: str, **arguments: Any) -> Json:
        return self.patiently(lambda: self.once(method, path, **arguments))

    def _patience_left_s(self) -> float:
        """Of a server that has been silent for long, no more is expected."""
        silent_s = time.monotonic() - self._lost_at if self._lost_at else 0.0
        return max(0.0, self._patience_s - silent_s)

    def _exchange(
        self, method: str, path: str, query: dict[str, str], body: Json | None, kind: str,
        read_s: float,
    ) -> tuple[int, Any, bytes]:  # fmt: skip
        begun = time.monotonic()
        response = self._opened(method, path, query, body, kind, read_s)
        with self._told(begun):
            data = response.read()
            self._lost_at = 0.0
            return response.status, response.headers, data

    def _opened(
        self, method: str, path: str, query: dict[str, str], body: Json | None, kind: str,
        read_s: float,
    ) -> RESTResponse:  # fmt: skip
        """An answer that was begun; its body is still to be read."""
        headers = {"Accept": "application/json", "Content-Type": kind}
        asked = self._client.param_serialize(
            method, path, query_params=list(query.items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        within_s = read_s
        if not self._patience_left_s():
            within_s = min(read_s, CONNECT_S)
            if not self._last_try.acquire(blocking=False):
                said = f"{self.configuration.host}: it has not answered for {self._patience_s:g} s"
                raise ApiError(0, "Unreachable", said)
        with self._told(time.monotonic()):
            return self._client.call_api(*asked, _request_timeout=(CONNECT_S, within_s))

    @contextlib.contextmanager
    def _told(self, begun: float) -> Iterator[None]:
        """What a connection does, as an `ApiError`."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (HTTPError, OSError, ApiException) as error:  # the client makes its own of some
            self._lost_at = self._lost_at or begun
            inner = innermost(error)
            known = UNTRUSTED if isinstance(inner, ssl.SSLCertVerificationError) else "Unreachable"
            raise ApiError(0, known, f"{self.configuration.host}: {inner}") from None


def plain(error: BaseException) -> str:
    """The innermost reason, without the names of pools and sockets around it."""
    return str(innermost(error))


def innermost(error: BaseException) -> BaseException:
    causes = (getattr(error, "reason", None), error.__cause__, error.__context__, *error.args)
    inner = next((each for each in causes if isinstance(each, BaseException)), error)
    return error if inner is error else innermost(inner)


def _may_pass(error: BaseException, again: tuple[int, ...]) -> bool:
    return isinstance(error, ApiError) and error.status in again and error.reason != UNTRUSTED


def _wait(state: RetryCallState) -> float:
    asked = state.outcome.exception() if state.outcome else None
    own = wait_exponential(multiplier=0.1, max=2.0)(state)
    return max(own, min(asked.retry_after_s, 5.0)) if isinstance(asked, ApiError) else own
