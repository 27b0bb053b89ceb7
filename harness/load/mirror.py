"""A load worker elsewhere, as a child of ours: its files appear in our run directory as they grow.

    worker = Mirror(spec, given, place, join, why)
    worker.poll()          # also renews its lease, and passes on when to go and when to stop

Times in what arrives are put on our clock. `poll` is called by whoever watches the run, again and
again: when that hangs, the other side's lease runs out and the load ends.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from harness.clock import SECOND
from harness.load.clocks import Offset, offset, surest
from harness.load.mirrored import Mirrored
from harness.load.recording import HEADER, ROW
from harness.load.spec import WorkerSpec, asked_to_stop, read_go
from harness.load.station import LEASE_S, PATIENCE_S

_PING_S = 0.5
_PINGS = 12
_AGAIN_S = 0.25
_END_S = 3.0
#: Exit statuses of a worker that cannot tell its own.
_LOST, _ENDED = 1, 143


@dataclass(frozen=True)
class Given:
    """What a worker needs besides its spec: files by their relative path, and what stands for
    `$(env:NAME)`."""

    files: Mapping[str, bytes]
    environment: Mapping[str, str]

    @property
    def encoded(self) -> dict[str, str]:
        return {name: base64.b64encode(data).decode() for name, data in self.files.items()}


class Line(Protocol):
    """Bytes to and from a station. `close` may be called twice."""

    reader: BinaryIO
    writer: BinaryIO

    def close(self) -> None: ...


@dataclass(frozen=True)
class Arrived:
    """What came of a worker elsewhere: whole, or the run knows nothing. Its clock was ahead of ours
    by `clock_ms`, give or take `within_ms`, and `drift_ms` more at the end."""

    worker: int
    place: str
    rows: int
    sha256: str
    clock_ms: float
    within_ms: float
    drift_ms: float


class Mirror:
    """`join` opens a line to the station at `place`; `why` says what became of it, in words, or
    nothing while it is there. Raises whatever `join` raises."""

    pid = 0

    def __init__(
        self, spec: WorkerSpec, given: Given, place: str, join: Callable[[], Line],
        why: Callable[[], str],
    ) -> None:  # fmt: skip
        self.says = ""
        self._spec = spec
        self._directory = Path(spec.directory)
        self._place = place
        self._join = join
        self._why = why
        self._turning, self._writing = threading.Lock(), threading.Lock()
        self._pings: dict[int, int] = {}
        self._later: list[Offset] = []
        self._ended: dict[str, Any] = {}
        self._lost = ""
        self._status: int | None = None
        self._went = self._stopped = False
        self._pinged = self._heard = time.monotonic()
        self._line = join()
        self._clock = self._compare_clocks()
        self._files = Mirrored(self._directory, spec.worker, self._clock.ahead)
        self._say(do="begin", module=spec.module, spec=dataclasses.asdict(spec),
                  environment=dict(given.environment), files=given.encoded)  # fmt: skip
        threading.Thread(target=self._listen, name=place, daemon=True).start()

    def poll(self) -> int | None:
        """Its exit status, None while it runs; `says` tells a failure in words."""
        if self._status is None and self._turning.acquire(blocking=False):
            try:
                self._status = self._turn()
            finally:
                self._turning.release()
        return self._status

    def terminate(self) -> None:
        self._say(do="end")
        until = time.monotonic() + _END_S
        while self.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        self._leave()
        self._status = self._status or _ENDED

    @property
    def arrived(self) -> Arrived:
        drift = surest(self._later).ahead - self._clock.ahead if self._later else 0
        size, sha256 = self._files.came(f"recording.{self._spec.worker}.bin")
        return Arrived(
            self._spec.worker, self._place, (size - HEADER.itemsize) // ROW.itemsize, sha256,
            *(round(ns / 1e6, 3) for ns in (self._clock.ahead, self._clock.within, drift)),
        )  # fmt: skip

    # ------------------------------------------------------------ in the watcher's loop

    def _turn(self) -> int | None:
        """Never waits: this is also where the run's own leases are renewed."""
        if self._ended:
            return self._at_its_end()
        lease_s = LEASE_S if self._went else PATIENCE_S
        if not self._lost and time.monotonic() > self._heard + lease_s:
            self._lost = f"nothing was heard of {self._place} for {lease_s:g} s"
        if self._lost:
            self.says = f": {self._lost}"
            self._leave()
            return _LOST
        self._pass_on()
        return None

    def _pass_on(self) -> None:
        t0_ns = None if self._went else read_go(self._directory)
        if t0_ns is not None:
            self._went = True
            self._files.begin(t0_ns + round(self._spec.plan.warmup * SECOND))
            self._say(do="go", t0_ns=t0_ns + self._clock.ahead)
        if not self._stopped and asked_to_stop(self._directory):
            self._stopped = True
            self._say(do="stop")
        if time.monotonic() > self._pinged + _PING_S:
            self._pinged = time.monotonic()
            self._ping()

    def _at_its_end(self) -> int:
        sums = self._ended["sums"].items()
        differs = [name for name, told in sums if self._files.came(name) != tuple(told)]
        if differs:
            self.says = f": {', '.join(sorted(differs))} did not come whole"
        self._leave()
        return int(self._ended["ended"]) or (_LOST if differs else 0)

    def _leave(self) -> None:
        self._say(do="leave")
        threading.Thread(target=self._line.close, name="leave", daemon=True).start()

    # ------------------------------------------------------------ the line

    def _compare_clocks(self) -> Offset:
        found = []
        for number in range(_PINGS):
            asked = time.monotonic_ns()
            self._say(do="ping", number=number)
            told = json.loads(self._line.reader.readline())
            found.append(offset(asked, told["at"], time.monotonic_ns()))
        self._heard = time.monotonic()
        return surest(found)

    def _ping(self) -> None:
        number = max(self._pings, default=_PINGS) + 1
        self._pings[number] = time.monotonic_ns()
        self._say(do="ping", number=number)

    def _say(self, **told: Any) -> None:
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._line.writer.write(json.dumps(told).encode() + b"\n")
            self._line.writer.flush()

    # ------------------------------------------------------------ the thread

    def _listen(self) -> None:
        while not self._over:
            with contextlib.suppress(OSError, ValueError):
                while head := self._line.reader.readline():
                    self._take(json.loads(head))
            if not self._over:
                self._again()

    @property
    def _over(self) -> bool:
        return bool(self._ended or self._lost or self._status is not None)

    def _again(self) -> None:
        """A line that broke is joined again, unless nobody is there any more."""
        time.sleep(_AGAIN_S)
        with contextlib.suppress(Exception):
            self._line.close()
            if lost := self._why():
                self._lost = lost
                return
            self._line = self._join()
            self._say(do="have", sizes=self._files.sizes)
            self._went = self._stopped = False  # said again: it may not have been heard

    def _take(self, told: dict[str, Any]) -> None:
        if "file" in told:
            data = self._line.reader.read(told["size"])
            if len(data) < told["size"]:
                return  # the line broke: it comes again
            self._files.take(told["file"], data)
        elif "pong" in told:
            asked = self._pings.pop(told["pong"], None)
            if asked is not None:
                self._later.append(offset(asked, told["at"], time.monotonic_ns()))
        elif "ended" in told:
            self._ended = told
        self._heard = time.monotonic()
