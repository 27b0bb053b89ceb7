"""Makes Locust's two HTTP clients tell the truth, for every session in this process.

- What they retry by themselves is switched off: geventhttpclient repeats idempotent requests up
  to eleven times when the peer closes without an answer, and nobody hears of the lost ones.
- Every request has a timeout as a whole, from when it was due; by default one has none, the other
  60 s a socket operation.
- Requests and redirects to hosts outside the System are refused before they are sent.
- Every request carries our headers.

The classes are changed, not instances: sessions that a file makes by hand count too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from select import POLLIN
from typing import Any
from urllib.parse import urlsplit

import gevent
import requests
from gevent import monkey
from geventhttpclient.client import HTTPClient
from geventhttpclient.connectionpool import ConnectionPool
from locust.clients import HttpSession, LocustHttpAdapter, ResponseContextManager
from locust.contrib.fasthttp import FastHttpSession, LocustUserAgent

from harness.load.locust_requests import SENT, begin, seconds_left

Wrap = Callable[..., Any]

#: The real one: gevent's own makes watchers even to look once.
_poll = monkey.get_original("select", "poll")


class Overdue(gevent.Timeout):  # type: ignore[misc, unused-ignore]
    """A request has used up its time."""


class ForeignHost(OSError):
    """A request would have left the System."""


def make_honest(hosts: frozenset[str], headers: dict[str, str], timeout_ns: int) -> None:
    """Change the clients of this process; called once, before the user's file is imported."""
    _bound(FastHttpSession, timeout_ns)
    _bound(HttpSession, timeout_ns)
    _catch_overdue()
    _never_retry()
    _keep_inside(hosts)
    _carry(headers)


def _wrap(owner: type, name: str, around: Callable[..., Any]) -> None:
    """Replace a method by `around(original, self, ...)`."""
    original = getattr(owner, name)

    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(original, self, *args, **kwargs)

    setattr(owner, name, wrapped)


def _bound(session: type, timeout_ns: int) -> None:
    def request(original: Wrap, self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        sent = begin(str(kwargs.get("name") or (args[0] if args else None) or url))
        kwargs["context"] = {**(kwargs.get("context") or {}), SENT: sent}
        try:
            with Overdue(seconds_left(sent, timeout_ns)):
                sent.response = original(self, method, url, *args, **kwargs)
            return sent.response
        finally:
            sent.ended = time.monotonic_ns()

    _wrap(session, "request", request)


def _catch_overdue() -> None:
    """`requests` knows nothing of gevent's timeouts: give it one of its own."""

    def send(original: Wrap, self: Any, method: Any, url: Any, **kwargs: Any) -> Any:
        try:
            return original(self, method, url, **kwargs)
        except Overdue as overdue:
            asked = requests.Request(method, url, params=kwargs.get("params")).prepare()
            error = requests.exceptions.ReadTimeout(str(overdue), request=asked)
            return ResponseContextManager(error)

    _wrap(HttpSession, "_send_request_safe_mode", send)


def _never_retry() -> None:
    def client(original: Wrap, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._connection_pool.size = -1  # it allows itself as many attempts as this, and two

    def agent(original: Wrap, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **{**kwargs, "max_retries": 0})

    def alive(_original: Wrap, _self: Any, sock: Any) -> bool:
        return _is_idle(sock)

    _wrap(HTTPClient, "__init__", client)
    _wrap(LocustUserAgent, "__init__", agent)
    _wrap(ConnectionPool, "_is_socket_alive", alive)


def _is_idle(sock: Any) -> bool:
    """Whether a kept connection can be used again: a readable one was closed by its peer.

    By poll, since geventhttpclient's select cannot look at descriptors above 1023 and takes each
    of them for dead.
    """
    try:
        look = _poll()
        look.register(sock.fileno(), POLLIN)
        return not look.poll(0)
    except (OSError, ValueError):
        return False


def _keep_inside(hosts: frozenset[str]) -> None:
    def refuse(host: str | None) -> None:
        if host not in hosts:
            raise ForeignHost(f"load goes only to {', '.join(sorted(hosts))}, not to {host}")

    def fast(original: Wrap, self: Any, request: Any) -> Any:
        refuse(request.url_split.host)
        return original(self, request)

    def slow(original: Wrap, self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            refuse(urlsplit(request.url).hostname)
        except ForeignHost as foreign:  # Locust takes only errors of requests for failures
            raise requests.exceptions.ConnectionError(foreign, request=request) from foreign
        return original(self, request, *args, **kwargs)

    _wrap(LocustUserAgent, "_urlopen", fast)
    _wrap(LocustHttpAdapter, "send", slow)


def _carry(headers: dict[str, str]) -> None:
    def agent(original: Wrap, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.default_headers.update(headers)

    def session(original: Wrap, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.headers.update(headers)
        self.trust_env = False  # a proxy of the environment is no host of the System

    _wrap(LocustUserAgent, "__init__", agent)
    _wrap(HttpSession, "__init__", session)
