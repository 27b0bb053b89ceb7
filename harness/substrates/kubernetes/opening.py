"""While agents and load workers are waited for: the red button ends that too."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from harness.agent.button import HALT
from harness.errors import Halted, NotReady
from harness.substrates.kubernetes.api import Api, ApiError

_LOOK_S = 0.5


@contextlib.contextmanager
def heeding_the_button(api: Api, namespace: str) -> Iterator[Callable[[], None]]:
    """Until the yielded function is called. Pressed, it ends what waits by `api`, which is to raise
    `NotReady`; that becomes `Halted`."""
    over = threading.Event()
    told: list[str] = []

    def look() -> None:
        while not told and not over.wait(_LOOK_S):
            with contextlib.suppress(ApiError):
                found = api.once("GET", f"/api/v1/namespaces/{namespace}", read_s=1.0)
                if why := (found["metadata"].get("annotations") or {}).get(HALT, ""):
                    told.append(f"{HALT}={why} on namespace {namespace}")
                    api.abort.set()

    threading.Thread(target=look, name="red button", daemon=True).start()
    try:
        yield over.set
    except NotReady:
        if told:
            raise Halted(told[0]) from None
        raise
    finally:
        over.set()
