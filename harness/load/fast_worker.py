"""A load worker without Locust: `python -m harness.load.fast_worker SPEC.json`, one core.

Sends the declared requests of a plan by asyncio, with uvloop where it is installed. Exit status 0:
done, or ended by SIGTERM with all rows written; all else: it died.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from harness.clock import SECOND
from harness.load.arrivals import peak_rate
from harness.load.descriptors import many_descriptors
from harness.load.fast_closed import ClosedDispatcher
from harness.load.fast_dispatch import Dispatcher
from harness.load.fast_watch import Watch
from harness.load.recorder import Recorder
from harness.load.spec import WorkerSpec, read_go, read_spec
from harness.load.status import StatusFile
from harness.load.vitals import collect_little
from harness.record.redaction import resolved

#: Ephemeral ports to one address: about 28,000, and other workers want some too.
_MOST_CONNECTIONS = 20_000
_SPARE = 20
#: So long a time's worth of connections is opened before the load begins.
_PREPARED_S, _MOST_PREPARED = 0.02, 1000
_PREPARE_S = 10.0
_GO_S = 120.0


def main(spec_path: str) -> None:
    spec = in_the_clear(read_spec(Path(spec_path)), os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the harness, which then ends us
    run_with_loop()(_work(spec))


def run_with_loop() -> Callable[[Coroutine[Any, Any, None]], None]:
    """The fastest `asyncio.run` there is here."""
    try:
        import uvloop
    except ImportError:  # there is none for this platform
        return asyncio.run
    return uvloop.run


async def _work(spec: WorkerSpec) -> None:
    plan, directory = spec.plan, Path(spec.directory)
    recorder, status = Recorder(directory, spec.worker), StatusFile(directory, spec.worker)
    kind = ClosedDispatcher if plan.closed_users else Dispatcher
    dispatcher = kind(plan, recorder, _most(spec))
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, dispatcher.stop)
    await dispatcher.pool.prepare(_prepared(spec), _PREPARE_S)
    watch = Watch(dispatcher, recorder, status, spec)
    watching = asyncio.ensure_future(watch.run())
    status.event("ready")
    t0_ns = await _go(directory, dispatcher)
    if t0_ns is not None:
        await _load(spec, t0_ns, dispatcher, recorder)
    watching.cancel()
    watch.last()
    status.event("ended")
    recorder.close()


async def _load(spec: WorkerSpec, t0_ns: int, dispatcher: Dispatcher, recorder: Recorder) -> None:
    recorder.begin(t0_ns + round(spec.plan.warmup * SECOND))
    collect_little()
    await dispatcher.run(spec.worker, spec.workers, t0_ns)
    await dispatcher.finish()


async def _go(directory: Path, dispatcher: Dispatcher) -> int | None:
    """When the load begins; None when it was ended before."""
    until = time.monotonic() + _GO_S
    while not dispatcher.stopping and time.monotonic() < until:
        t0_ns = read_go(directory)
        if t0_ns is not None:
            return t0_ns
        await asyncio.sleep(0.01)
    return None


def in_the_clear(spec: WorkerSpec, environment: Mapping[str, str]) -> WorkerSpec:
    """What the plan has as `$(env:NAME)` is known only to who sends it."""
    clear = partial(resolved, environment=environment)
    requests = (
        replace(request, path=clear(request.path), json=clear(request.json))
        for request in spec.plan.requests
    )
    headers = ((name, clear(value)) for name, value in spec.plan.headers)
    plan = replace(spec.plan, requests=tuple(requests), headers=tuple(headers))
    return replace(spec, plan=plan)


def _most(spec: WorkerSpec) -> int:
    """One worker's part of rate x timeout, as far as this machine has descriptors and ports."""
    wanted = max(peak_rate(spec.plan) * spec.plan.timeout, spec.plan.closed_users)
    wanted = ceil(wanted / spec.workers) + _SPARE
    return min(wanted, many_descriptors() - 64, _MOST_CONNECTIONS // spec.workers)


def _prepared(spec: WorkerSpec) -> int:
    count = peak_rate(spec.plan) * _PREPARED_S / spec.workers
    return min(max(ceil(count), spec.plan.closed_users // spec.workers, 1), _MOST_PREPARED)


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stderr.flush()
    os._exit(0)
