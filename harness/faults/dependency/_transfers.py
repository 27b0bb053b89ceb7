"""Judging faults that change how data comes: by what came over connections of ours, and how.

One new connection of each look and the open one carry as much as their value can be told from; the
short ones say whether new connections met the toxic at all, so that a part of them shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.agent.effects import Toxic, Transfer
from harness.faults.dependency._edge import edge_seen, hidden, other_toxics, share_of, unseen
from harness.faults.fault import Held, Look
from harness.faults.witness import Reading, followed
from harness.record.witness import Witnessed

_CHANGING = ("bandwidth", "slicer", "slow_close")
_HIDDEN = "hidden by another fault on this edge"


@dataclass(frozen=True)
class Gauge:
    """A number that can be told from a transfer which met the toxic."""

    field: str
    unit: str
    read: Callable[[Held, Transfer], Reading]


def judge_transfers(
    held: Held, toxic: Toxic, met: Callable[[Held, Transfer], bool], *gauges: Gauge
) -> tuple[Witnessed, ...]:
    """A line for each gauge, on new and on open connections, and one for who met the toxic."""
    looks = [look for look in held.looks if not covered(held, look)]
    new = [one for look in looks for one in edge_seen(look).new[:1]]
    old = [one for look in looks if (one := edge_seen(look).old)]
    lines = []
    if toxic.share < 1:  # one connection, one draw
        new = [one for one in new if met(held, one)]
        lines += [_line(gauge, held, new) for gauge in gauges if new]
    else:
        lines += [_line(gauge, held, new) for gauge in gauges]
        lines += [_line(gauge, held, old, " on open connections") for gauge in gauges]
    return (*lines, _who_met(held, looks, toxic.share, met))


def left(held: Held, after: Look, met: Callable[[Held, Transfer], bool]) -> bool:
    """After the revert: whether some new connection still met it, and none did before."""
    if covered(held, after) or hidden(held, held.before):
        return False
    now, before = (edge_seen(look).new for look in (after, held.before))
    return any(met(held, one) for one in now) and not any(met(held, one) for one in before)


def covered(held: Held, look: Look) -> bool:
    """Whether another toxic changes how data comes, so that nothing can be told of this one."""
    others = other_toxics(held, look)
    return hidden(held, look) or any(toxic.kind in _CHANGING for toxic, _ in others)


def seconds(seen: Transfer) -> float:
    """From the question to the last of the answer."""
    return seen.round_trip + seen.took


def _line(gauge: Gauge, held: Held, seen: list[Transfer], of: str = "") -> Witnessed:
    if not seen:
        return unseen(gauge.field + of, 0.0, _HIDDEN)
    return followed(gauge.field + of, gauge.unit, [gauge.read(held, one) for one in seen])


def _who_met(
    held: Held, looks: list[Look], share: float, met: Callable[[Held, Transfer], bool]
) -> Witnessed:
    if not hidden(held, held.before) and any(met(held, o) for o in edge_seen(held.before).new):
        return unseen("new connections", share, "were so before", confirmed=False)
    every = [met(held, one) for look in looks for one in edge_seen(look).new]
    return share_of("new connections", share, every)
