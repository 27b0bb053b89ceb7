"""How long the users suffered: the instant from which what they got met the objectives again.

Judged on single requests by when they were due, not on buckets or polls, which miss short outages
and round long ones (a simulation is in docs). A window [t, t + W) is fine when a large enough share
of the requests due in it was good. Recovered is the first good request after the last window that
was not fine. What the run did not last long enough to show is not claimed: then there is only a
time until which it certainly had not recovered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.experiment.model import Objective
from harness.measure.observation import Bools, Floats, Ints, Requests

WINDOW_S = 5.0
#: Less than two windows of this length after a fault show nothing.
SHORTEST_WINDOW_S = 0.5
#: A window that allows fewer failures than this cannot be told from chance in 5 s.
SHARE = 0.99

How = Literal["never impacted", "held", "at once", "recovered", "not recovered", "unknown"]


@dataclass(frozen=True)
class Level:
    """A share of the requests must succeed, and within this time."""

    slower_than_s: float
    share: float


@dataclass(frozen=True)
class Recovery:
    """How the users fared from `from_s` on, seen until `until_s`.

    `at_s` is when they were served well again, `took_s` from `from_s` to then; both None unless
    that is known. `low_s`: it certainly took longer than this. `impact_s` is the first bad request
    after the inject began, `bad` how many of `count` there were until `until_s`. `window_s` is W,
    and no time here is finer than `resolution_s`, the gap between requests.
    """

    intervention: str
    while_on: bool
    how: How
    from_s: float
    until_s: float
    at_s: float | None = None
    low_s: float = 0.0
    impact_s: float | None = None
    bad: int = 0
    count: int = 0
    window_s: float = WINDOW_S
    resolution_s: float = 0.0

    @property
    def took_s(self) -> float | None:
        return None if self.at_s is None else max(0.0, self.at_s - self.from_s)

    @property
    def says(self) -> str:
        match self.how:
            case "never impacted":
                return "never impacted"
            case "held":
                return f"held throughout, with {self.bad:,} bad of {self.count:,} requests"
            case "at once":
                return "recovered before the counting began"
            case "recovered":
                return (
                    f"recovered after {_seconds(self.took_s or 0)}, held for "
                    f"{_seconds(self.window_s)} (resolution {_seconds(self.resolution_s)})"
                )
            case "not recovered":
                return f"not recovered within {_seconds(self.low_s)}"
        return f"unknown: {_seconds(self.until_s - self.from_s)} with too few requests to tell"


def levels(objectives: Iterable[Objective], *, while_on: bool = False) -> tuple[Level, ...]:
    """What being served well means, taken from the objectives on all requests.

    After a fault, those that hold without it count (no window, `baseline`, `after`); while it is
    on, those of `during`. A failure is always bad; slower than a latency limit is bad for P90 and
    above. No share is above 99 %: five seconds cannot show more.
    """
    apart = ("baseline", "after") if while_on else ("during", "while")
    chosen = [
        o for o in objectives
        if not (o.name or o.journeys or o.window in apart) and o.op in _WISHES.get(o.indicator, ())
    ]  # fmt: skip
    shares = [o.limit for o in chosen if o.indicator == "availability"]
    shares += [1 - o.limit for o in chosen if o.indicator == "errors"]
    slow = [Level(o.limit, min(SHARE, o.quantile)) for o in chosen if o.quantile >= 0.9]
    return (Level(np.inf, min([SHARE, *shares])), *dict.fromkeys(slow))


_WISHES = {"availability": (">", ">="), "errors": ("<", "<="), "latency": ("<", "<=")}


@dataclass(frozen=True)
class Span:
    """What a recovery is looked for in: bad from `begun`, counted from `start`, until `end`."""

    intervention: str
    begun: float
    start: float
    end: float
    while_on: bool = False


def recover(requests: Requests, wanted: tuple[Level, ...], span: Span) -> Recovery:
    """The recovery of one intervention."""
    inside = requests.where((requests.due >= span.begun) & (requests.due < span.end))
    window_s = min(WINDOW_S, (span.end - span.start) / 2)
    scan = _scan(inside, wanted, window_s, span.end)
    how, found = _found(scan, span.start) if window_s >= SHORTEST_WINDOW_S else ("unknown", 0)
    return Recovery(
        span.intervention, span.while_on, how, span.start, span.end,
        at_s=_instant(how, scan, found, span.start),
        low_s=max(0.0, scan.due[found - 1] - span.start) if how == "not recovered" else 0.0,
        impact_s=scan.due[scan.bad][0] if scan.bad.any() else None,
        bad=int(np.count_nonzero(scan.bad)), count=len(inside), window_s=window_s,
        resolution_s=_gap(scan.due, found),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Scan:
    """`failing` are the requests at which a window begins that is not fine; the first `complete`
    have a whole window before the end.
    """

    due: Floats
    bad: Bools
    failing: Ints
    complete: int


def _scan(inside: Requests, wanted: tuple[Level, ...], window_s: float, end: float) -> _Scan:
    bads = [~inside.good | (inside.latency > level.slower_than_s) for level in wanted]
    complete = int(np.searchsorted(inside.due, end - window_s, side="right"))
    begins = np.arange(complete)
    ends = np.searchsorted(inside.due, inside.due[:complete] + window_s)
    fails = np.zeros(complete, bool)
    for bad, level in zip(bads, wanted, strict=True):
        count = np.concatenate([[0], np.cumsum(bad)])
        fails |= count[ends] - count[begins] > (1 - level.share) * (ends - begins) + 1e-9
    return _Scan(inside.due, np.logical_or.reduce(bads), np.flatnonzero(fails), complete)


def _found(scan: _Scan, start: float) -> tuple[How, int]:
    """What happened, and the request by which the service was fine again."""
    if not scan.complete or scan.due[-1] < start:
        return "unknown", 0
    if not len(scan.failing):
        return ("held" if scan.bad.any() else "never impacted"), 0
    last = int(scan.failing[-1]) + 1
    good = np.flatnonzero(~scan.bad[last:])
    found = last + int(good[0]) if len(good) else len(scan.due)
    if found >= scan.complete:
        return "not recovered", found
    return ("at once" if scan.due[found] <= start else "recovered"), found


def _instant(how: How, scan: _Scan, found: int, start: float) -> float | None:
    if how in ("not recovered", "unknown"):
        return None
    return float(scan.due[found]) if how == "recovered" else start


def _gap(due: Floats, found: int) -> float:
    """The widest gap between the requests around this one."""
    around = due[max(0, found - 1) : found + 2]
    return float(np.diff(around).max()) if len(around) > 1 else 0.0


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1e3:.3g} ms"
