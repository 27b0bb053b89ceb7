"""`service.restart`: the target is stopped and started again, as its keeper does it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import ProcessesSeen
from harness.agent.effects import Restart as RestartAct
from harness.capabilities import Units
from harness.faults.fault import Event, Held, Look
from harness.record.witness import Witnessed
from harness.units import Duration


class Restart(Event, kind="service.restart"):
    """The target is told to end, killed when it does not, and started again at once."""

    grace: Duration = Field(
        Duration(5), description="to end by itself, before it is killed", examples=["5s", "0s"]
    )

    needs: ClassVar[type] = Units

    def act(self) -> RestartAct:
        return RestartAct(float(self.grace))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        old = _known(held.before)
        now = [_known(look) for look in held.looks]
        left = old & now[-1]
        fresh = any(known - old for known in now)
        replaced = len(old - left) if fresh else 0
        note = f"{len(left)} were not ended" if left else "" if fresh else "nothing was started"
        return (
            Witnessed(
                "restarted", len(old), replaced, "count", replaced, replaced, len(held.looks),
                confirmed=bool(old) and not left and fresh, note=note,
            ),
        )  # fmt: skip

    def says(self) -> str:
        return f"ended within {self.grace} and started again"


def _known(look: Look) -> set[tuple[int, int]]:
    assert isinstance(look.seen, ProcessesSeen), "processes are looked at in /proc"
    return {(p.pid, p.start) for p in look.seen.alive}
