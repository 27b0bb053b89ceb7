"""A run as `harness run` makes it, in a process of its own.

It is forked, because the imports of hundreds of runs would take more time than the runs.

It leads a session of its own, as a shell's job leads its group, and ends with whoever started it.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from harness.mechanisms.namespaces import die_with_parent
from harness.report.progress import Progress
from harness.run.conduct import conduct, run_id
from harness.run.plan import make_plan
from harness.selftest.ground import Place

_FAILED = 70


def start(place: Place, lease_s: float) -> int:
    """The pid of the harness. Call it from the main thread, with which it ends."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _become(place, lease_s)
    return pid


def _become(place: Place, lease_s: float) -> None:
    status = _FAILED
    try:
        os.setsid()
        die_with_parent()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        _redirect(place.path)
        os.chdir(place.path)
        os.environ.update(place.environment)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run(place, lease_s)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def run(place: Place, lease_s: float) -> None:
    experiment = place.experiment()
    substrate = place.substrate(experiment.system)
    plan = make_plan(experiment, substrate, 1, run_id("selftest"))
    conduct(experiment, plan, substrate, place.path / "reports", Progress(plan), lease_s)


def _redirect(path: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(path / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd, to in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(fd, to)
    os.closerange(3, out + 1)
