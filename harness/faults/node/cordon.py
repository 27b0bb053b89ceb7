"""`node.cordon`: nothing new comes to a node."""

from __future__ import annotations

from typing import ClassVar

from harness.agent.effects import Cordoned
from harness.capabilities import Nodes
from harness.faults._platform import counted, seen
from harness.faults.fault import Condition, Held, Look
from harness.record.witness import Witnessed


class Cordon(Condition, kind="node.cordon"):
    """Nothing new is scheduled on the node; what runs there goes on."""

    needs: ClassVar[type] = Nodes

    def effect(self) -> Cordoned:
        return Cordoned()

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        cordoned = sum(seen(look).cordoned for look in held.looks)
        before = seen(held.before).cordoned
        note = "it was before" if before else ""
        return (
            counted("cordoned", 1, int(cordoned > 0), len(held.looks), note=note,
                    confirmed=not before and cordoned == len(held.looks)),
        )  # fmt: skip

    def gone(self, held: Held, after: Look) -> str:
        left = seen(after).cordoned and not seen(held.before).cordoned
        return "it is still cordoned" if left else ""

    def says(self) -> str:
        return "cordoned"
