"""A load worker: `python -m harness.load.locust_worker SPEC.json`, one process, one core.

The only process that imports Locust, which replaces the standard library's blocking parts and must
come before everything that uses TLS. Exit status 0: done, or ended by SIGTERM with all rows
written; 2: the Locust file cannot be used (the event `broken` says why); all else: it died.
"""

# ruff: noqa: I001
from __future__ import annotations

import locust  # noqa: F401  first, see above

import logging
import os
import random
import signal
import sys
import time
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent

from harness.clock import SECOND
from harness.load.arrivals import peak_rate
from harness.load.descriptors import many_descriptors
from harness.load.locust_closed import ClosedDispatcher
from harness.load.locust_crowd import Crowd, overrides
from harness.load.locust_dispatch import Dispatcher
from harness.load.locust_file import BrokenFile, Users, load_users
from harness.load.locust_http import make_honest
from harness.load.locust_requests import RecordingHook
from harness.load.locust_tags import tags_of
from harness.load.locust_watch import Watch
from harness.load.recorder import Recorder
from harness.load.spec import WorkerSpec, read_go, read_spec
from harness.load.status import StatusFile
from harness.load.vitals import collect_little
from harness.load.tags import write_tags
from harness.record.plan import LoadPlan
from harness.record.redaction import resolved

#: The crowd is rate x timeout x this: a task may make several requests, each as long as it may be.
_MARGIN = 4
_SPARE = 20
#: How many users exist before the load begins; with an on_start, which is a request or more each.
_PREPARED, _PREPARED_WITH_START = 2000, 200
_PREPARE_S = 20.0
_GO_S = 120.0

log = logging.getLogger(__name__)


def main(spec_path: str) -> int:
    spec = read_spec(Path(spec_path))
    directory = Path(spec.directory)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the harness, which then ends us
    many_descriptors()
    random.seed(f"worker {spec.worker} {spec.plan.seed}")
    status = StatusFile(directory, spec.worker)
    try:
        return _work(spec, directory, status)
    except BrokenFile as broken:
        log.error("%s", broken)  # noqa: TRY400
        status.event("broken", str(broken))
        return 2


def _work(spec: WorkerSpec, directory: Path, status: StatusFile) -> int:
    plan, recorder = spec.plan, Recorder(directory, spec.worker)
    hook = RecordingHook(recorder, round(plan.timeout * SECOND))
    make_honest(_hosts(spec), _headers(plan), round(plan.timeout * SECOND))
    users = load_users(plan, hook)
    if spec.worker == 0:
        write_tags(directory, tags_of(users.kinds))
    crowd = Crowd(users.environment, users.kinds, _share(spec, _MARGIN) + _SPARE)
    kind = ClosedDispatcher if plan.closed_users else Dispatcher
    dispatcher = kind(plan, crowd, recorder, hook)
    for number in (signal.SIGTERM, signal.SIGHUP):
        gevent.signal_handler(number, _stop, dispatcher)
    _prepare(spec, users, crowd)
    watch = Watch(dispatcher, recorder, status, spec)
    gevent.spawn(watch.run)
    status.event("ready", *users.says)
    t0_ns = _wait_for_go(directory, dispatcher)
    if t0_ns is not None:
        _load(spec, t0_ns, dispatcher, recorder)
    crowd.stop(min(plan.timeout, 5.0))
    _tell(users, "test_stop")
    _tell(users, "quitting", reverse=True)
    watch.last()
    status.event("ended")
    recorder.close()
    return 0


def _prepare(spec: WorkerSpec, users: Users, crowd: Crowd) -> None:
    """Let most users join before the load begins, so that none has to log in when it is due."""
    _tell(users, "init", runner=users.environment.runner, web_ui=None)
    _tell(users, "test_start")
    starts = any(overrides(kind, "on_start") for kind in users.kinds)
    count = min(_share(spec, 1), _PREPARED_WITH_START if starts else _PREPARED)
    failed = crowd.prepare(count, _PREPARE_S)
    if failed and not crowd.size:
        error = failed[0]
        raise BrokenFile(
            f"{spec.plan.users}: on_start failed for every user: {type(error).__name__}: {error}"
        )


def _tell(users: Users, event: str, **what: Any) -> None:
    """Fire one of Locust's own events, for listeners in the person's file."""
    hook: Any = getattr(users.environment.events, event)
    hook.fire(environment=users.environment, **what)


def _load(spec: WorkerSpec, t0_ns: int, dispatcher: Dispatcher, recorder: Recorder) -> None:
    recorder.begin(t0_ns + round(spec.plan.warmup * SECOND))
    collect_little()
    dispatcher.run(spec.worker, spec.workers, t0_ns)
    dispatcher.finish()


def _wait_for_go(directory: Path, dispatcher: Dispatcher) -> int | None:
    """When the load begins; None when it was ended before."""
    until = time.monotonic() + _GO_S
    while not dispatcher.stopping and time.monotonic() < until:
        t0_ns = read_go(directory)
        if t0_ns is not None:
            return t0_ns
        gevent.sleep(0.01)
    return None


def _stop(dispatcher: Dispatcher) -> None:
    """First time: send no more, and wait for what is in flight. Second time: leave at once."""
    if dispatcher.stopping:
        gevent.killall([j.greenlet for j in dispatcher.journeys.values()], block=False)
    dispatcher.stopping = True


def _share(spec: WorkerSpec, margin: int) -> int:
    """One worker's part of a crowd of rate x timeout, or of a closed loop's users."""
    plan = spec.plan
    users = plan.closed_users or peak_rate(plan) * plan.timeout * margin
    return ceil(users / spec.workers)


def _hosts(spec: WorkerSpec) -> frozenset[str]:
    return frozenset({urlsplit(spec.plan.url).hostname or "", *spec.hosts})


def _headers(plan: LoadPlan) -> dict[str, str]:
    headers = {name: resolved(value, os.environ) for name, value in plan.headers}
    return {**headers, "X-Harness-Run": plan.run_id}


if __name__ == "__main__":
    status = main(sys.argv[1])
    sys.stderr.flush()
    os._exit(status)  # greenlets of the user's file, or of Locust, must not keep us
