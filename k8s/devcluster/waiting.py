"""Asking the API server, until it says what we want to hear."""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

from devcluster import certificates
from devcluster.layout import CONTROL_PLANE, Failed, Layout

_STILL_STARTING = (OSError, http.client.HTTPException, ValueError)


class Asking:
    """Requests as administrator, a connection each: the server may be gone at any time."""

    def __init__(self, layout: Layout) -> None:
        pki = certificates.folder(layout)
        self._host = layout.address(CONTROL_PLANE)
        self._context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        self._context.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")

    def text(self, path: str) -> str:
        """The body. Raises OSError or HTTPException when there is no good answer."""
        return self._good("GET", path)

    def create(self, path: str, thing: dict[str, Any]) -> None:
        self._good("POST", path, json.dumps(thing))

    def exists(self, path: str) -> bool:
        return self._ask("GET", path)[0] == http.HTTPStatus.OK

    def _good(self, method: str, path: str, body: str = "") -> str:
        status, said = self._ask(method, path, body)
        if not 200 <= status < 300:
            raise http.client.HTTPException(f"{path}: {status} {said[:200]}")
        return said

    def _ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        line = http.client.HTTPSConnection(self._host, 6443, context=self._context, timeout=5)
        try:
            line.request(method, path, body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        finally:
            line.close()

    def json(self, path: str) -> Any:
        return json.loads(self.text(path))

    def ready_nodes(self) -> int:
        nodes = self.json("/api/v1/nodes")["items"]
        return sum(_condition(node, "Ready") for node in nodes)

    def ready_replicas(self, namespace: str, deployment: str) -> int:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        return int(self.json(path)["status"].get("readyReplicas", 0))


def until(what: str, holds: Callable[[], object], limit_s: float) -> None:
    """Raises `Failed` with the last answer when it does not come to hold in time."""
    begun, last = time.monotonic(), "it does not hold"
    while True:
        try:
            if holds():
                break
        except _STILL_STARTING as error:
            last = str(error)
        if time.monotonic() - begun > limit_s:
            raise Failed(f"gave up after {limit_s:.0f} s waiting for {what}: {last}")
        time.sleep(0.1)
    say(f"{what} ({time.monotonic() - begun:.1f} s)")


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _condition(thing: dict[str, Any], kind: str) -> bool:
    conditions = thing["status"].get("conditions", [])
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)
