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
from harness.measure.observation import Box, Requests, before
from harness.measure.scan import Fine, Scan, scanned

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
    and no time here is finer than `resolution_s`, the gap between requests. `served_s` is when they
    were served well again even if that was before `from_s`; None where they never were served ill.
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
    served_s: float | None = None

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
        if o.counts and not (o.name or o.journeys or o.window in apart)
        and o.op in _WISHES.get(o.indicator, ())
    ]  # fmt: skip
    shares = [o.limit for o in chosen if o.indicator == "availability"]
    shares += [1 - o.limit for o in chosen if o.indicator == "errors"]
    slow = [Level(o.limit, min(SHARE, o.quantile)) for o in chosen if o.quantile >= 0.9]
    return (Level(np.inf, min([SHARE, *shares])), *dict.fromkeys(slow))


def stable_s(objectives: Iterable[Objective]) -> float:
    """How long users must be served well to count as recovered: as an objective says, or W."""
    return max((o.stable_s for o in objectives), default=0.0) or WINDOW_S


_WISHES = {"availability": (">", ">="), "errors": ("<", "<="), "latency": ("<", "<=")}


@dataclass(frozen=True)
class Span:
    """What a recovery is looked for in: bad from `begun`, counted from `start`, until `end`."""

    intervention: str
    begun: float
    start: float
    end: float
    while_on: bool = False


def recover(
    requests: Requests, wanted: tuple[Level, ...], span: Span, window_s: float = WINDOW_S
) -> Recovery:
    """The recovery of one intervention, to have held for `window_s`."""
    inside = requests.within(Box(due_from=span.begun, due_to=before(span.end)))
    window_s = min(window_s, (span.end - span.start) / 2)
    scan = scanned(inside, [(level.slower_than_s, level.share) for level in wanted], window_s,
                   span.end)  # fmt: skip
    how = _how(scan, span.start) if window_s >= SHORTEST_WINDOW_S else "unknown"
    return Recovery(
        span.intervention, span.while_on, how, span.start, span.end,
        at_s=_instant(how, scan.fine, span.start),
        low_s=max(0.0, scan.fine.before - span.start) if how == "not recovered" else 0.0,
        impact_s=scan.impact, bad=scan.bad, count=scan.count, window_s=window_s,
        resolution_s=scan.fine.gap, served_s=scan.fine.at if scan.failed else None,
    )  # fmt: skip


def _how(scan: Scan, start: float) -> How:
    if not scan.complete or scan.last_due < start:
        return "unknown"
    if not scan.failed:
        return "held" if scan.bad else "never impacted"
    if scan.fine.at is None or scan.fine.number >= scan.complete:
        return "not recovered"
    return "at once" if scan.fine.at <= start else "recovered"


def _instant(how: How, fine: Fine, start: float) -> float | None:
    if how in ("not recovered", "unknown"):
        return None
    return fine.at if how == "recovered" else start


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1e3:.3g} ms"
