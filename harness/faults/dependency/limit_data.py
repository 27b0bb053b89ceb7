"""`dependency.limit_data`: answers break off after so many bytes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from harness.agent.effects import Curve, Toxic
from harness.faults.dependency._edge import EdgeFault, edge_seen, hidden, share_of, unseen
from harness.faults.fault import Held
from harness.record.witness import Witnessed
from harness.units import Share, Size

_MOST = 8 << 20


def _limit(value: Size) -> Size:
    if value > _MOST:
        raise ValueError(f"at most {Size(_MOST)}, not {value}: a witness has to send as much")
    return value


class LimitData(EdgeFault, kind="dependency.limit_data"):
    """Each connection carries so many bytes of what the dependency sends, and is closed.

    Those that are open count from the inject. New connections are made, and end the same way.
    """

    limit: Annotated[Size, AfterValidator(_limit)] = Field(
        description="bytes that pass on each connection", examples=["100B", "64KiB"]
    )
    share: Share = Field(
        Share(1), description="of the connections, drawn for each", examples=["100%", "20%"]
    )

    def effect(self) -> Toxic:
        limit = Curve.constant(float(int(self.limit)))
        return Toxic("limit_data", "downstream", float(self.share), (("bytes", limit),))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        """New connections end at the very byte; the open one has ended by then, at the latest."""
        share, limit = float(self.share), int(self.limit)
        looks = [edge_seen(look) for look in held.looks if not hidden(held, look)]
        new = [t for seen in looks for t in seen.new]
        ended = [t for t in new if t.outcome in ("closed", "reset")]
        exact = share_of("new connections", share, [t in ended and t.bytes == limit for t in new])
        if not hidden(held, held.before) and edge_seen(held.before).outcome != "ok":
            note = f"was {edge_seen(held.before).outcome} before"
            exact = unseen("new connections", share, note, confirmed=False)
        if share < 1:  # one connection, one draw
            old = unseen("open connections", share, "one probe cannot show a share")
        else:
            over = [s.old_outcome in ("closed", "reset") for s in looks]
            old = share_of("open connections", share, over)
        return self._bytes([t.bytes for t in ended]), exact, old

    def _bytes(self, counts: list[int]) -> Witnessed:
        if not counts:
            return unseen("limit", float(self.limit), "no connection ended")
        mean, limit = sum(counts) / len(counts), int(self.limit)
        right = all(count == limit for count in counts)
        return Witnessed(
            "limit", float(limit), mean, "B", min(counts), max(counts), len(counts), right
        )

    def says(self) -> str:
        part = f"{self.share} of the connections" if self.share < 1 else "connections"
        return f"{part} closed after {self.limit} of answers"
