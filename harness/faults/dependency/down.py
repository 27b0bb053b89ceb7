"""`dependency.down`: nothing answers at the dependency's address."""

from __future__ import annotations

from harness.agent.effects import Toxic
from harness.faults.dependency._edge import EdgeFault, Expected, judge_outcomes
from harness.faults.fault import Held
from harness.record.witness import Witnessed


class Down(EdgeFault, kind="dependency.down"):
    """The caller's new connections are refused, and its open ones are closed.

    Other callers still reach the dependency: it is down for the callers that are named.
    """

    def effect(self) -> Toxic:
        return Toxic("down")

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        return judge_outcomes(held, Expected(new=("refused",), open=("closed", "reset")))

    def says(self) -> str:
        return "new connections refused, open ones closed"
