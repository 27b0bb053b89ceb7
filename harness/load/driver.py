"""Starts the load workers, lets them begin together, and ends them.

    driver = Driver(plan, directory, spawn)
    driver.start()          # second 0 of the run is known: driver.epoch_ns
    driver.died()           # at any time
    end = driver.stop()

Workers are started by the given function, which puts them on a host of the world or beside us.
They end by themselves when whoever started them is gone.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.clock import SECOND
from harness.errors import InvalidRun, UsageError
from harness.load.mirror import Arrived, Mirror
from harness.load.reading import Tail, ready_or_broken, stored
from harness.load.sent import Sent
from harness.load.spec import WorkerSpec, write_go, write_spec, write_stop
from harness.record.plan import LoadPlan

_LOOK_S = 0.02
_AT_ONCE = 8
#: The load begins so long after the last worker was ready, so that all have seen when.
_AHEAD_NS, _FAR_AHEAD_NS = SECOND // 4, SECOND


class Child(Protocol):
    """A process that was started; `substrates.substrate.Child` is one."""

    pid: int

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...


Spawn = Callable[[tuple[str, ...], Path], Child]
#: Starts one worker, wherever that is.
Launch = Callable[[WorkerSpec], Child]


@dataclass(frozen=True)
class LoadEnd:
    """What became of the arrivals. `died` says which workers did not end as they should, `arrived`
    what came of those that lived elsewhere."""

    due: int
    sent: int
    dropped: int
    late_p99_ms: float
    died: tuple[str, ...]
    arrived: tuple[Arrived, ...] = ()


class Driver:
    """`spawn(argv, log)` starts a process; `hosts` may be loaded besides the host of the plan.
    With `launch` workers are started by that instead, elsewhere."""

    def __init__(
        self, plan: LoadPlan, directory: Path, spawn: Spawn, hosts: tuple[str, ...] = (),
        launch: Launch | None = None,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._directory = directory
        self._spawn = spawn
        self._launch = launch or self._spawned
        self._ahead_ns = _FAR_AHEAD_NS if launch else _AHEAD_NS
        self._hosts = hosts
        self._children: list[Child] = []
        self._hurry = threading.Event()
        self.t0_ns = 0
        self.says: tuple[str, ...] = ()

    @property
    def epoch_ns(self) -> int:
        """Second 0 of the run: the end of the warm-up."""
        return self.t0_ns + round(self._plan.warmup * SECOND)

    def start(self, within_s: float = 60.0) -> int:
        """Start all workers and say when the load begins (monotonic nanoseconds, just ahead).

        Raises `UsageError` when the Locust file cannot be used, `InvalidRun` when a worker died or
        was not ready in time; then no worker is left.
        """
        for name in ("load.go", "load.stop"):
            (self._directory / name).unlink(missing_ok=True)
        try:
            self._start_all()
            self._await_ready(time.monotonic() + within_s)
        except BaseException:
            self._terminate()
            raise
        self.t0_ns = time.monotonic_ns() + self._ahead_ns
        write_go(self._directory, self.t0_ns)
        self.died()  # whoever lives elsewhere is told at once
        return self.t0_ns

    def died(self) -> tuple[str, ...]:
        """Workers that ended other than by their own decision: `load worker 0 ended with 137`."""
        ends = [(n, child.poll(), child) for n, child in enumerate(self._children)]
        return tuple(f"load worker {n} ended with {s}{_says(c)}" for n, s, c in ends if s)

    def stop(self, within_s: float | None = None) -> LoadEnd:
        """Let requests in flight end, for at most 3 timeouts or so; then what came of the load."""
        write_stop(self._directory)
        longest = 3 * self._plan.timeout + 10 if within_s is None else within_s
        until = time.monotonic() + longest
        while any(c.poll() is None for c in self._children) and time.monotonic() < until:
            if self._hurry.is_set():
                break
            time.sleep(_LOOK_S)
        died = self.died() + self._hanging()
        self._terminate()
        return self._end(died)

    def hurry(self) -> None:
        """From another thread: `stop` waits no longer for requests in flight."""
        self._hurry.set()

    def _start_all(self) -> None:
        """Several at once; those that did start are known whatever becomes of the others."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            begun = [pool.submit(self._start, worker) for worker in range(self._plan.workers)]
        self._children = [each.result() for each in begun if not each.exception()]
        for each in begun:
            each.result()

    def _start(self, worker: int) -> Child:
        spec = WorkerSpec(self._plan, worker, self._plan.workers, str(self._directory), self._hosts)
        # what an earlier load in this directory said must not be taken for this one's
        (self._directory / f"load.{worker}.jsonl").unlink(missing_ok=True)
        return self._launch(spec)

    def _spawned(self, spec: WorkerSpec) -> Child:
        argv = (sys.executable, "-m", spec.module, str(write_spec(spec)))
        return self._spawn(argv, self._log(spec.worker))

    def _await_ready(self, until: float) -> None:
        waiting = set(range(len(self._children)))
        while waiting:
            waiting -= {worker for worker in waiting if self._is_ready(worker)}
            if waiting and time.monotonic() > until:
                raise InvalidRun(f"load worker {min(waiting)} was not ready in time",
                                 hint=f"its log: {self._log(min(waiting))}")  # fmt: skip
            if waiting:
                time.sleep(_LOOK_S)

    def _is_ready(self, worker: int) -> bool:
        ended = self._children[worker].poll()
        told = ready_or_broken(self._directory, worker)
        if told is not None and told.event == "broken":
            raise UsageError(*told.says, hint=f"the whole story: {self._log(worker)}")
        if ended is not None:
            says = _says(self._children[worker])
            raise InvalidRun(f"load worker {worker} ended with {ended} before the load began{says}",
                             hint=f"its log: {self._log(worker)}")  # fmt: skip
        if told is not None:
            self.says = told.says
        return told is not None

    def _hanging(self) -> tuple[str, ...]:
        hanging = (n for n, child in enumerate(self._children) if child.poll() is None)
        return tuple(f"load worker {n} did not end in time" for n in hanging)

    def _terminate(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.terminate()

    def _end(self, died: tuple[str, ...]) -> LoadEnd:
        states = Tail(self._directory).states().values()
        return LoadEnd(
            due=sum(state.due for state in states), sent=sum(state.sent for state in states),
            dropped=sum(state.dropped for state in states),
            late_p99_ms=late_p99_ms(self._directory, self.epoch_ns), died=died,
            arrived=tuple(c.arrived for c in self._children if isinstance(c, Mirror)),
        )  # fmt: skip

    def _log(self, worker: int) -> Path:
        return self._directory / f"load.{worker}.log"


def _says(child: Child) -> str:
    """What one that lives elsewhere says of its end, besides the status."""
    return child.says if isinstance(child, Mirror) else ""


def late_p99_ms(directory: Path, since_ns: int) -> float:
    """How late we were with the arrivals due since then; the warm-up is nobody's measurement."""
    rows, _ = stored(directory)
    return Sent(rows, since_ns).late_p99_s * 1e3


class _Popen(subprocess.Popen[bytes]):
    def terminate(self) -> None:
        super().terminate()
        try:
            self.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait(timeout=5)


def spawn_here(argv: tuple[str, ...], log: Path) -> Child:
    """Start a worker as a plain child of this process."""
    with log.open("wb") as file:
        return _Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
