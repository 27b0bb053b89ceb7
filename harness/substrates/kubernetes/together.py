"""Agents on several nodes: all of them start, or none is waited for any longer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from harness.substrates.kubernetes.api import Api
from harness.substrates.kubernetes.hands import DistantHands


def started_together(
    start: Callable[[str], DistantHands], nodes: tuple[str, ...], pool: ThreadPoolExecutor, api: Api
) -> dict[str, DistantHands]:
    """By node. Whatever ends one of them, or an interrupt, ends the waiting for the others."""
    begun = {node: pool.submit(start, node) for node in nodes}
    try:
        return {node: found.result() for node, found in begun.items()}
    except BaseException:
        api.abort.set()
        pool.shutdown(cancel_futures=True)
        api.abort.clear()
        api.leave()
        for found in begun.values():
            if not (found.cancelled() or found.exception()):
                found.result().close()
        raise
