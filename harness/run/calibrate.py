"""What rate one load worker can hold on this machine, measured against a server of our own.

A ramp finds where lateness begins; then rates below it are held for a few seconds each until one is
on time throughout. The result is kept with this machine's state, for the warnings of plans.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import InvalidRun
from harness.experiment.model import Request
from harness.load.arrivals import peak_rate
from harness.load.driver import Driver, spawn_here
from harness.load.reading import stored
from harness.load.self_check import LATE_FLOOR_S
from harness.load.sent import Sent
from harness.record.plan import LoadPlan, Plan
from harness.run import state

_LOCUST_FILE = """\
from locust import FastHttpUser, task


class Asking(FastHttpUser):
    @task
    def ask(self):
        self.client.get("/")
"""
#: How fast the ramp of each driver becomes in the end: beyond what a core can do.
TOPS = {"locust": 8_000.0, "requests": 80_000.0}
_RAMP_S, _HOLD_S, _WARMUP_S = 8.0, 4.0, 1.0
_SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Held:
    """One worker of `driver` sent `rate` arrivals a second, 99 % of them at most so late."""

    driver: str
    rate: float
    late_p99_ms: float


def calibrate(driver: str, say: Say) -> Held:
    """Measure; takes about half a minute. Raises `InvalidRun` when nothing can be held."""
    with _answering() as url, tempfile.TemporaryDirectory(prefix="harness-") as name:
        plan = _plan(driver, url, Path(name))
        ramp = replace(plan, rate=((0.0, 1.0), (_RAMP_S, TOPS[driver])), duration=_RAMP_S)
        reached = _sent(ramp, Path(name)).pace(LATE_FLOOR_S).rate
        say(f"{driver}: on time until about {reached:,.0f}/s")
        for share in _SHARES:
            held = _hold(plan, driver, share * reached, Path(name))
            say(f"{driver}: {held.rate:,.0f}/s with a P99 of {held.late_p99_ms:.2f} ms late")
            if held.late_p99_ms <= LATE_FLOOR_S * 1e3:
                return held
    raise InvalidRun(f"no rate could be held by {driver}", hint="is this machine busy?")


def _hold(plan: LoadPlan, driver: str, rate: float, directory: Path) -> Held:
    constant = replace(plan, rate=((0.0, rate),), warmup=_WARMUP_S, duration=_HOLD_S)
    sent = _sent(constant, directory)
    late_ms = sent.late_p99_s * 1e3 if not sent.dropped else float("inf")
    return Held(driver, float(f"{rate:.2g}"), late_ms)


def _sent(plan: LoadPlan, directory: Path) -> Sent:
    driver = Driver(plan, directory, spawn_here)
    driver.start()
    until = time.monotonic() + plan.warmup + plan.duration + 0.5
    while time.monotonic() < until and not driver.died():
        time.sleep(0.1)
    end = driver.stop()
    if end.died:
        raise InvalidRun(end.died[0])
    return Sent(stored(directory)[0], driver.epoch_ns)


def _plan(driver: str, url: str, directory: Path) -> LoadPlan:
    users = directory / "asking.py"
    users.write_text(_LOCUST_FILE)
    return LoadPlan(
        users=str(users) if driver == "locust" else "", entry="", url=url, counts="tasks",
        rate=((0.0, 1.0),), rate_smooth=True, poisson=False, seed=1, warmup=0.0, duration=_HOLD_S,
        timeout=1.0, workers=1, headers=(), run_id="calibrate",
        requests=() if driver == "locust" else (Request("/", "GET", "/"),),
    )  # fmt: skip


@contextmanager
def _answering() -> Iterator[str]:
    """A server in a process of its own, which ends with our end of its pipe."""
    argv = (sys.executable, "-m", "harness.load.answering")
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None, "piped"
    assert server.stdout is not None, "piped"
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.kill()
        server.communicate(timeout=5)


# ---------------------------------------------------------------- kept


def keep(held: Held) -> None:
    known = {**_known(), held.driver: asdict(held)}
    draft = _path().with_suffix(f".{os.getpid()}.new")
    draft.write_text(json.dumps(known, indent=1))
    draft.replace(_path())


def kept(driver: str) -> Held | None:
    """What was measured here; None when it never was."""
    try:
        known = _known()[driver]
        return Held(driver, float(known["rate"]), float(known["late_p99_ms"]))
    except (KeyError, TypeError, ValueError):
        return None


def _known() -> dict[str, Any]:
    try:
        known = json.loads(_path().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _path() -> Path:
    return state.home() / "calibration.json"


def doubt(load: LoadPlan) -> str:
    """Why this load is more than this machine was measured to hold; empty without a measurement."""
    if load.closed_users:
        return ""
    held = kept("locust" if load.users else "requests")
    each = peak_rate(load) / load.workers
    if held is None or each <= held.rate:
        return ""
    return (
        f"up to {each:,.0f}/s are asked of each load worker, and {held.rate:,.0f}/s is what one "
        "held here when it was measured (harness calibrate): the run may end INVALID"
    )


def doubted(plan: Plan) -> Plan:
    """The plan with that warning, if there is reason for it."""
    why = doubt(plan.load) if plan.load else ""
    return replace(plan, warnings=(*plan.warnings, why)) if why else plan
