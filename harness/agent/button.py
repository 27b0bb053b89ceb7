"""The red button as agents see it: an annotation on a namespace, asked of the API server.

The pod's own account asks, over one connection that is kept open. A question that is not answered
is no halt: who cannot reach the API server still has a lease. Caveat: a token is read anew for each
connection, because the kubelet replaces it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Tuple

if TYPE_CHECKING:
    from http.client import HTTPSConnection

HALT = "harness.dev/halt"
#: Within 2 s of the annotation everything is to be taken back; a slow server is waited for.
_EVERY_S, _ANSWER_S = 0.5, 5.0
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def watch(namespaces: Tuple[str, ...], pressed: Callable[[str], None]) -> None:
    """Have a thread look at each namespace, until one is halted: then `pressed(why)`, once."""
    for namespace in namespaces:
        threading.Thread(target=_watch, args=(namespace, pressed), daemon=True).start()


def _watch(namespace: str, pressed: Callable[[str], None]) -> None:
    from http.client import HTTPException  # slow to import, and nobody has to wait for it

    connection, told = None, ""
    while True:
        begun = time.monotonic()
        try:
            connection = connection or _connection()
            why = _halted(connection, namespace)
            trouble = ""
        except (OSError, HTTPException, ValueError, KeyError) as error:
            connection, why, trouble = None, "", f"{type(error).__name__}: {error}"
        if why:
            pressed(f"{HALT}={why} on namespace {namespace}")
            return
        if trouble != told:
            sys.stderr.write(f"the red button of {namespace} is {_seen(trouble)}\n")
            told = trouble
        time.sleep(max(0.0, begun + _EVERY_S - time.monotonic()))


def _seen(trouble: str) -> str:
    return f"not seen from here: {trouble}" if trouble else "seen again"


def _connection() -> HTTPSConnection:
    import ssl
    from http.client import HTTPSConnection

    trusted = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return HTTPSConnection(host, int(port), timeout=_ANSWER_S, context=trusted)


def _halted(connection: HTTPSConnection, namespace: str) -> str:
    """What the annotation says, or nothing."""
    token = (_ACCOUNT / "token").read_text().strip()
    asks = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    connection.request("GET", f"/api/v1/namespaces/{namespace}", headers=asks)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    if answer.status != 200:
        raise ValueError(f"HTTP {answer.status}: {said.get('message', '')}")
    return str((said["metadata"].get("annotations") or {}).get(HALT, ""))
