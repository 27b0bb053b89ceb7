"""Watches that end: a list, then what changes, again and again until it is over.

A watch is asked for `WATCH_S` at a time and continues from the last resource version. One that is
cut waits a moment and misses nothing; one that is too old (410) begins anew with a list, and what
came and went between is lost. Both are told, from when something had been heard last. Nothing here
ends a run.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from harness.substrates.kubernetes.api import Api, ApiError, Json

WATCH_S = 10
_PAUSE_S, _LATE_S = 0.5, 3.0
_GONE, _FORBIDDEN = 410, (401, 403, 404, 405)


class Seer(Protocol):
    """Called from the watch's thread."""

    def listed(self, items: list[Json]) -> None:
        """All that is there; what is not among them is gone."""

    def changed(self, item: Json) -> None: ...

    def deleted(self, item: Json) -> None: ...

    def blind(self, why: str, since_ns: int) -> None:
        """It could not be looked at since then (monotonic); no reason: from then on it can."""


class Watch:
    """Looks at the objects of `path` in a thread of its own."""

    def __init__(self, api: Api, path: str, seer: Seer) -> None:
        self._api = api
        self._path = path
        self._seer = seer
        self._over = threading.Event()
        self._version = ""
        self._lost = False
        self._heard_ns = time.monotonic_ns()
        self._thread = threading.Thread(target=self._look, name=f"watch {path}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Returns at once; what is being waited for ends by itself within `WATCH_S`."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.is_set():
            try:
                self._look_once()
            except ApiError as error:
                if error.status == _GONE:
                    self._version = ""
                    self._note("the server remembers no more (410): what came and went is unknown")
                    continue
                self._note(error.told)
                if error.status in _FORBIDDEN:
                    return
                self._over.wait(_PAUSE_S)

    def _look_once(self) -> None:
        if not self._version:
            page = self._api.once("GET", self._path)
            self._seer.listed(page.get("items") or [])
            self._version = page["metadata"]["resourceVersion"]
        lines = self._lines()
        self._note("")
        for line in lines:
            self._take(json.loads(line))
            if self._over.is_set():
                return

    def _take(self, told: dict[str, Any]) -> None:
        how, item = told["type"], told["object"]
        self._heard_ns = time.monotonic_ns()
        if how == "ERROR":
            raise ApiError(
                int(item.get("code", 0)), item.get("reason", ""), item.get("message", "")
            )
        self._version = item["metadata"]["resourceVersion"]
        if self._over.is_set() or how == "BOOKMARK":
            return
        (self._seer.deleted if how == "DELETED" else self._seer.changed)(item)

    def _lines(self) -> Iterator[bytes]:
        query = {"watch": "true", "allowWatchBookmarks": "true",
                 "resourceVersion": self._version, "timeoutSeconds": str(WATCH_S)}  # fmt: skip
        return self._api.lines(self._path, query, WATCH_S + _LATE_S)

    def _note(self, why: str) -> None:
        if bool(why) != self._lost:
            self._lost = bool(why)
            if not self._over.is_set():
                self._seer.blind(why, self._heard_ns if why else time.monotonic_ns())
        if not why:
            self._heard_ns = time.monotonic_ns()
