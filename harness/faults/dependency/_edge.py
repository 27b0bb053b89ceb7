"""What faults on a dependency share: they are toxics on an edge, seen by connections of our own.

Each look has a new connection and one that was open before; other toxics of the run on the same
edge are taken out of the judgement, or hide what is asked for and then nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.agent.effects import Curve, EdgeSeen, Toxic
from harness.capabilities import Edges
from harness.faults.fault import Condition, Held, Look
from harness.faults.witness import wilson
from harness.record.witness import Witnessed

_BREAKING = ("down", "reset_peer", "timeout", "limit_data")


class EdgeFault(Condition):
    """Base of the faults of this family."""

    needs: ClassVar[type] = Edges
    on_edges: ClassVar[bool] = True

    def gone(self, held: Held, after: Look) -> str:
        seen = edge_seen(after)
        if hidden(held, after):
            return ""
        odd = [
            f"{which} connections: {outcome}"
            for which, outcome in (("new", seen.outcome), ("open", seen.old_outcome))
            # bypassed: the proxy has gone, and its toxics with it; empty: nothing is kept open
            if outcome not in ("ok", "bypassed", "")
        ]
        return ", ".join(odd)


@dataclass(frozen=True)
class Expected:
    """What a probe must find while the fault is on: any of these, on new and on open ones."""

    new: tuple[str, ...]
    open: tuple[str, ...]


def edge_seen(look: Look) -> EdgeSeen:
    assert isinstance(look.seen, EdgeSeen), "edges are looked at by connections"
    return look.seen


def other_toxics(held: Held, look: Look) -> tuple[tuple[Toxic, float], ...]:
    """The other toxics on this edge at that time, each with its inject."""
    return tuple(
        (effect.effect, effect.since)
        for resource, effect in look.others
        if resource == held.resource and isinstance(effect.effect, Toxic)
    )


def hidden(held: Held, look: Look) -> bool:
    """Whether another toxic that breaks connections leaves nothing to see of this one."""
    return any(toxic.kind in _BREAKING for toxic, _ in other_toxics(held, look))


def new_ones(seen: EdgeSeen) -> tuple[tuple[str, float], ...]:
    """Outcome and round trip of every new connection of a look."""
    return ((seen.outcome, seen.round_trip), *seen.more)


def visible(held: Held) -> list[EdgeSeen]:
    return [edge_seen(look) for look in held.looks if not hidden(held, look)]


def judge_outcomes(held: Held, expected: Expected, share: float = 1.0) -> tuple[Witnessed, ...]:
    """How many connections ended as they should, of those that were new and of the open one."""
    looks = visible(held)
    hits = [outcome in expected.new for look in looks for outcome, _ in new_ones(look)]
    new = share_of("new connections", share, hits)
    old = share_of("open connections", share, [look.old_outcome in expected.open for look in looks])
    if share < 1:  # one connection, one draw
        old = unseen("open connections", share, "one probe cannot show a share")
    if not hidden(held, held.before) and edge_seen(held.before).outcome != "ok":
        note = f"was {edge_seen(held.before).outcome} before"
        return (unseen("new connections", share, note, confirmed=False), old)
    return new, old


def share_of(field: str, asked: float, hits: list[bool]) -> Witnessed:
    """All of them when all were asked for, otherwise a share within its interval."""
    if not hits:
        return unseen(field, asked, "hidden by another fault on this edge")
    value, low, high = wilson(sum(hits), len(hits))
    confirmed = all(hits) if asked >= 1 else low <= asked <= high
    return Witnessed(field, asked, value, "share", low, high, len(hits), confirmed)


def unseen(field: str, asked: float, note: str, confirmed: bool | None = None) -> Witnessed:
    return Witnessed(field, asked, 0.0, "share", 0.0, 1.0, 0, confirmed, note)


def milliseconds(curve: Curve) -> Curve:
    """A curve of seconds in Toxiproxy's unit."""
    return Curve(tuple((at, value * 1000) for at, value in curve.points), curve.smooth, curve.every)
