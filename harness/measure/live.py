"""The run while it goes on: for the guard, the gate before each fault, and the progress line.

Looks at the last seconds by when requests ended, since one that was due and has not ended has no
row yet; those in flight beyond their timeout count as failures at once. What the verdict says is
never taken from here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.clock import SECOND, Epoch
from harness.experiment.model import Abort, Objective
from harness.load.recording import ROW, Rows
from harness.load.status import Status
from harness.measure.claims import Count, fewest, of_this_run
from harness.measure.indicators import counted, holds, throughput, value_of
from harness.measure.observation import Box, Observation, Requests, after
from harness.measure.statistics import quantile

KEPT_S = 4.0
VIEW_S = 2.0
#: An abort condition is looked at over so long, again and again, for as long as it must hold: the
#: shortest slice that has requests enough to tell, since a longer one tells later.
SLICES_S = (0.25, 0.5, 1.0)
SLICE_S = SLICES_S[-1]
_FEWEST = 20
#: The baseline must hold over so long before a fault.
GATE_S = 3.0
#: Without a word from a load worker for so long, nobody knows what the system does.
BLIND_S = 5.0


@dataclass(frozen=True)
class Live:
    """The last seconds at `at_s`, seconds since the epoch; nan: nothing ended, nothing overdue.

    `overdue` requests are in flight beyond their timeout. `blind_s` is the time since the quietest
    load worker was heard.
    """

    at_s: float
    count: int
    availability: float
    p50_s: float
    p99_s: float
    rate: float
    overdue: int
    blind_s: float
    late_p99_ms: float
    due: int
    sent: int
    dropped: int

    @property
    def errors(self) -> float:
        return 1 - self.availability

    @property
    def blind(self) -> bool:
        return self.blind_s >= BLIND_S


class LiveView:
    """Keeps the last rows. `feed` it with what is new, then ask."""

    def __init__(self, epoch: Epoch, timeout_s: float, workers: int) -> None:
        self._epoch = epoch
        self._timeout_s = timeout_s
        self._workers = workers
        self._blocks: deque[Rows] = deque()
        self._names: tuple[str, ...] = ()
        self._states: dict[int, Status] = {}
        self._begun_ns = 0
        self._now_ns = 0

    def feed(
        self, rows: Rows, names: tuple[str, ...], states: Mapping[int, Status], now_ns: int
    ) -> None:
        """New rows, the names so far, and the latest state of each worker."""
        self._begun_ns = self._begun_ns or now_ns
        self._now_ns, self._names, self._states = now_ns, names, dict(states)
        if len(rows):
            self._blocks.append(rows)
        while self._blocks and _latest(self._blocks[0]) < now_ns - KEPT_S * SECOND:
            self._blocks.popleft()

    @property
    def blind_s(self) -> float:
        """Since the quietest load worker was heard."""
        heard = [state.at for state in self._states.values()]
        if len(heard) < self._workers:
            heard.append(self._begun_ns)
        return (self._now_ns - min(heard, default=self._now_ns)) / SECOND

    def now(self, over_s: float = VIEW_S) -> Live:
        requests, states = self._last(over_s), self._states.values()
        overdue = self._hanging
        latency = np.concatenate([requests.latency, np.full(overdue, math.inf)])
        good = requests.good_count
        return Live(
            self._at_s(self._now_ns), len(requests),
            availability=good / len(latency) if len(latency) else math.nan,
            p50_s=quantile(latency, 0.5), p99_s=quantile(latency, 0.99),
            rate=throughput(requests, self._span(over_s)), overdue=overdue, blind_s=self.blind_s,
            late_p99_ms=max((s.late_p99_ms for s in states), default=0.0),
            due=sum(s.due for s in states), sent=sum(s.sent for s in states),
            dropped=sum(s.dropped for s in states),
        )  # fmt: skip

    def value(self, objective: Objective) -> float:
        """What an objective speaks of, over the last seconds; those that hang count as failed."""
        requests = self._last(VIEW_S, objective)
        if objective.name or objective.journeys or objective.indicator == "throughput":
            return value_of(objective, requests, self._span(VIEW_S))
        live = self.now()
        if objective.indicator == "latency":
            hang = np.full(live.overdue, math.inf)
            return quantile(np.concatenate([requests.latency, hang]), objective.quantile)
        return live.errors if objective.indicator == "errors" else live.availability

    def indicator(self, abort: Abort) -> float:
        """What an abort condition speaks of, over the last slice."""
        requests, over_s = self._slice(fewest(abort.quantile) if abort.quantile else 0)
        good = np.count_nonzero(requests.good)
        latency = np.concatenate([requests.latency, np.full(self._hanging, math.inf)])
        match abort.indicator:
            case "throughput":
                return good / self._span(over_s)
            case "latency":
                return quantile(latency, abort.quantile)
        share = good / len(latency) if len(latency) else math.nan
        return 1 - share if abort.indicator == "errors" else share

    @property
    def _hanging(self) -> int:
        """Requests in flight beyond their timeout."""
        return sum(state.overdue for state in self._states.values())

    def _slice(self, wanted: int) -> tuple[Requests, float]:
        """The shortest slice with so many requests in it, those that hang included."""
        for over_s in SLICES_S:
            requests = self._last(over_s)
            if len(requests.good) + self._hanging >= max(wanted, _FEWEST):
                break
        return requests, over_s

    def gate(self, objectives: Iterable[Objective], *, alone: bool = True) -> str:
        """Why no fault may begin now, or empty. While another is on (not `alone`), only blindness
        counts.
        """
        live = self.now(GATE_S)
        if live.blind:
            return f"a load worker was not heard for {live.blind_s:.1f} s"
        if not live.count:
            return f"no request ended in the last {GATE_S:g} s"
        if not alone:
            return ""
        baseline = [
            o for o in objectives if o.window == "baseline" and o.severity == "fail" and o.counts
        ]
        return next((why for o in baseline if (why := self._broken(o))), "")

    def _broken(self, objective: Objective) -> str:
        requests = self._last(GATE_S, objective)
        if not len(requests):
            return ""
        value = value_of(objective, requests, self._span(GATE_S))
        if objective.indicator == "throughput":
            broken = not holds(objective, value)
        else:
            count = self._with_overdue(counted(objective, requests), objective)
            broken = of_this_run(count)[0] == "fail"
        said = f"{objective.text}: it was {value:.4g} in the last {GATE_S:g} s"
        return said if broken else ""

    def _with_overdue(self, count: Count, objective: Objective) -> Count:
        """Nobody knows the names of those that hang."""
        if objective.name or objective.journeys:
            return count
        return replace(count, count=count.count + self._hanging)

    def _last(self, over_s: float, objective: Objective | None = None) -> Requests:
        since = self._at_s(self._now_ns) - self._span(over_s)
        rows = [block for block in self._blocks if _latest(block) > self._epoch.mono(since)]
        held = np.concatenate([np.empty(0, ROW), *rows])
        seen = Observation(held, self._names, self._epoch, self._timeout_s)
        name, journeys = (objective.name, objective.journeys) if objective else ("", False)
        requests = seen.of(name, journeys=journeys)
        return requests.within(Box(ended_from=after(since)))

    def _span(self, over_s: float) -> float:
        """So far back at most: once the warm-up is over for a while it speaks no more."""
        now = self._at_s(self._now_ns)
        return min(over_s, now) if now >= SLICE_S else over_s

    def _at_s(self, mono_ns: int) -> float:
        return self._epoch.seconds(mono_ns)


def _latest(rows: Rows) -> int:
    """When the last of these rows ended: they come in the order of their ending."""
    return int(rows["ended"][-1])


class AbortWatch:
    """Whether an abort condition held for the whole of its span."""

    def __init__(self, aborts: Iterable[Abort]) -> None:
        self._since: dict[Abort, float] = dict.fromkeys(aborts, math.inf)

    def look(self, view: LiveView, at_s: float) -> str:
        """Why to abort now, or empty. A slice in which nothing was measured changes nothing."""
        for abort, since in self._since.items():
            value = view.indicator(abort)
            if math.isnan(value):
                continue
            self._since[abort] = min(since, at_s) if holds(abort, value) else math.inf
            if at_s - self._since[abort] >= abort.lasts:
                return f"{abort.text} (it was {value:.3g})"
        return ""
