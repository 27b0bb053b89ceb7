"""`dependency.flapping`: the dependency goes down and comes up again, in a rhythm."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from harness.agent.effects import Curve, Toxic, Transfer
from harness.faults.dependency._edge import EdgeFault, edge_seen, hidden, share_of, unseen
from harness.faults.fault import Held
from harness.record.witness import Witnessed
from harness.units import Duration

_SHORTEST_S = 0.25
_EDGE_S = 0.08  # so near to a change nothing is claimed of a connection
_MOSTLY = 0.95


def _span(value: Duration) -> Duration:
    if value < _SHORTEST_S:
        raise ValueError(f"at least {Duration(_SHORTEST_S)}, not {value}: no witness tells less")
    return value


class Flapping(EdgeFault, kind="dependency.flapping"):
    """Down first: new connections are refused and open ones closed; then up; and so on.

    At the end of the fault it is up. Each time it comes up, callers find it as it was.
    """

    down: Annotated[Duration, AfterValidator(_span)] = Field(
        description="so long nothing answers", examples=["1s"]
    )
    up: Annotated[Duration, AfterValidator(_span)] = Field(
        description="and so long all is well", examples=["3s"]
    )

    def effect(self) -> Toxic:
        return Toxic("down", numbers=(("down", self._rhythm()),))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        seen = [edge_seen(look) for look in held.looks if not hidden(held, look)]
        new = [one for each in seen for one in each.new[1:]]  # the first lives through both
        down = [t.outcome == "refused" for t in new if self._is(1.0, held, t)]
        up = [t.outcome == "ok" for t in new if self._is(0.0, held, t)]
        if not hidden(held, held.before) and edge_seen(held.before).outcome != "ok":
            note = f"was {edge_seen(held.before).outcome} before"
            return (unseen("refused while down", 1.0, note, confirmed=False),)
        return (
            _mostly("refused while down", down, none=False),
            _mostly("answered while up", up, none=None),
            share_of("open connections", 1.0, [each.old_outcome != "ok" for each in seen]),
        )

    def _rhythm(self) -> Curve:
        down, up = float(self.down), float(self.up)
        return Curve(((0.0, 1.0), (down, 0.0)), smooth=False, every=down + up)

    def _is(self, state: float, held: Held, seen: Transfer) -> bool:
        """Whether the whole of a connection lay in such a part of the rhythm."""
        begin = seen.at - held.since - _EDGE_S
        end = seen.at - held.since + seen.round_trip + seen.took + _EDGE_S
        rhythm, period = self._rhythm(), float(self.down) + float(self.up)
        whole = begin >= 0 and end - begin < min(self.down, self.up)
        same = int(begin // period) == int(end // period)
        return whole and same and rhythm.at(begin) == rhythm.at(end) == state

    def says(self) -> str:
        return f"down for {self.down}, up for {self.up}, again and again"


def _mostly(field: str, hits: list[bool], none: bool | None) -> Witnessed:
    """A busy machine makes one of many late; a missing part of the rhythm is half of them."""
    if not hits:
        return unseen(field, 1.0, "no connection fell into it", confirmed=none)
    line = share_of(field, 1.0, hits)
    return Witnessed(**{**vars(line), "confirmed": sum(hits) >= _MOSTLY * len(hits)})
