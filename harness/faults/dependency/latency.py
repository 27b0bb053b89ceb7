"""`dependency.latency`: the dependency answers later."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from harness.agent.effects import Curve, Toxic
from harness.curves import Varying
from harness.faults.dependency._edge import (
    EdgeFault,
    edge_seen,
    hidden,
    milliseconds,
    new_ones,
    other_toxics,
    share_of,
    unseen,
)
from harness.faults.fault import Held, Look, curve
from harness.record.witness import Witnessed
from harness.units import Duration, Share

_MOSTLY = 0.75  # of the looks: a busy machine delays one now and then


class Latency(EdgeFault, kind="dependency.latency"):
    """What the dependency sends arrives later; nothing is lost, and its order stays."""

    delay: Varying[Duration] = Field(
        description="added to each answer",
        examples=["200ms", {"ramp": "0ms..400ms", "over": "20s"}],
    )
    jitter: Duration = Field(
        Duration(0), description="plus or minus up to this, for each answer", examples=["20ms"]
    )
    share: Share = Field(
        Share(1), description="of the connections, drawn for each", examples=["100%", "20%"]
    )

    def effect(self) -> Toxic:
        numbers = (
            ("latency", milliseconds(curve(self.delay))),
            ("jitter", Curve.constant(float(self.jitter) * 1000)),
        )
        return Toxic("latency", "downstream", float(self.share), numbers)

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        shown = [look for look in held.looks if not hidden(held, look)]
        new = [one for look in shown for one in self._new(held, look)]
        old = [self._added(held, look, *_kept(look)) for look in shown]
        if self.share < 1:
            hits = [one.fits for one in new]
            met = [one for one in new if one.fits]
            some = self._line("delay", met) if met else unseen("delay", curve(self.delay).peak, "")
            return some, share_of("share", float(self.share), hits)
        return self._line("delay", new), self._line("delay on open connections", old)

    def gone(self, held: Held, after: Look) -> str:
        still = super().gone(held, after)
        if still or hidden(held, after) or hidden(held, held.before):
            return still
        now, before = (
            _without_others(held, look, edge_seen(look).round_trip) for look in (after, held.before)
        )
        more = now - before
        least = min((value for _, value in curve(self.delay).points if value > 0), default=0.0)
        return f"answers are still {Duration(more)} later" if more > max(0.005, least / 4) else ""

    def _new(self, held: Held, look: Look) -> list[_Added]:
        return [self._added(held, look, *one) for one in new_ones(edge_seen(look))]

    def _added(self, held: Held, look: Look, outcome: str, trip: float) -> _Added:
        seen, asked = edge_seen(look), curve(self.delay)
        begin = seen.begin - held.since
        end = max(begin, seen.end - held.since - trip)
        before = _without_others(held, held.before, edge_seen(held.before).round_trip)
        value = _without_others(held, look, trip) - before
        wanted = asked.mean(begin, end)
        drift = abs(asked.at(end) - asked.at(begin)) / 2
        slack = max(0.005, 0.1 * wanted) + float(self.jitter) + drift
        return _Added(wanted, value, outcome == "ok" and abs(value - wanted) <= slack)

    def _line(self, field: str, added: list[_Added]) -> Witnessed:
        if not added:
            return unseen(field, curve(self.delay).peak, "hidden by another fault on this edge")
        values = [one.value for one in added]
        asked = sum(one.asked for one in added) / len(added)
        fits = sum(one.fits for one in added) >= _MOSTLY * len(added)
        mean = sum(values) / len(values)
        return Witnessed(field, asked, mean, "s", min(values), max(values), len(values), fits)

    def says(self) -> str:
        jitter = f" ± {self.jitter}" if self.jitter else ""
        part = f" on {self.share} of the connections" if self.share < 1 else ""
        return f"answers {self.delay}{jitter} later{part}"


@dataclass(frozen=True)
class _Added:
    """One look's delay, asked and seen, and whether that is the same."""

    asked: float
    value: float
    fits: bool


def _kept(look: Look) -> tuple[str, float]:
    seen = edge_seen(look)
    return seen.old_outcome, seen.old_round_trip


def _without_others(held: Held, look: Look, trip: float) -> float:
    """The round trip less what other delays on this edge have added to it."""
    seen = edge_seen(look)
    for toxic, since in other_toxics(held, look):
        if toxic.kind == "latency":
            later = dict(toxic.numbers)["latency"]
            trip -= later.mean(seen.begin - since, max(seen.begin, seen.end - trip) - since) / 1000
    return trip
