"""How a cluster's own controllers saw the system suffer and come back, beside what its users saw.

A workload is short while its controller counts fewer ready replicas than are asked for. The users'
view decides; the controllers' is told, since the two differ: users may suffer while every pod is
ready, and need not suffer while one is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.clock import Epoch
from harness.measure.passages import Passage
from harness.measure.recovery import Recovery
from harness.record.cluster import Sighting


@dataclass(frozen=True)
class Short:
    """A workload that was short, in seconds since the epoch; None: to the end of what was seen."""

    workload: str
    begin_s: float
    end_s: float | None


@dataclass(frozen=True)
class ControllersView:
    """`at_s` is when the last workload was whole again; None: it was not, or never was short."""

    at_s: float | None
    says: str


def shortages(sightings: Iterable[Sighting], epoch: Epoch) -> tuple[Short, ...]:
    """In the order of their beginning."""
    since: dict[str, float] = {}
    found: list[Short] = []
    for seen in sightings:
        if seen.kind == "workload" and seen.service:
            at = epoch.seconds(seen.at)
            if seen.state == "short":
                since.setdefault(seen.name, at)
            elif seen.name in since:
                found.append(Short(seen.name, since.pop(seen.name), at))
    found += (Short(name, begin, None) for name, begin in since.items())
    return tuple(sorted(found, key=lambda short: short.begin_s))


def controllers_view(
    short: tuple[Short, ...], recovery: Recovery, passage: Passage
) -> ControllersView:
    """Of one intervention: counted from where the users' recovery is counted from, until the next
    intervention or the end."""
    mine = [
        s for s in short
        if s.begin_s < recovery.until_s and (s.end_s is None or s.end_s > passage.begun)
    ]  # fmt: skip
    if not mine:
        return ControllersView(None, "its controllers saw every workload whole throughout")
    names = ", ".join(dict.fromkeys(s.workload for s in mine))
    begin = max(passage.begun, mine[0].begin_s)
    ends = [s.end_s for s in mine if s.end_s is not None and s.end_s <= recovery.until_s]
    if len(ends) < len(mine):
        return ControllersView(
            None, f"{names} short from {begin:.1f} s on, and not whole again in this time"
        )
    after = max(ends) - recovery.from_s
    when = f"whole again after {after:.1f} s" if after > 0 else "whole again before the counting"
    return ControllersView(max(ends), f"{names} {when} (short {begin:.1f}–{max(ends):.1f} s)")
