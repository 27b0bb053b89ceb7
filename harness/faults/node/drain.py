"""`node.drain`: the system's pods have to leave a node."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import Cordoned
from harness.capabilities import Nodes
from harness.faults._platform import counted, seen, staying
from harness.faults.fault import Condition, Held, Look
from harness.record.witness import Witnessed
from harness.units import Duration


class Drain(Condition, kind="node.drain"):
    """The node is cordoned and the system's pods are evicted, as far as their disruption budgets
    allow; then it takes pods again. Pods of other namespaces and of DaemonSets stay."""

    grace: Duration | None = Field(
        None, description="for each pod to end; else what it says", examples=["5s"]
    )

    needs: ClassVar[type] = Nodes

    def effect(self) -> Cordoned:
        return Cordoned(drained=True, grace=-1.0 if self.grace is None else float(self.grace))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        before = {pod.uid for pod in staying(held.before)}
        left = [pod for pod in staying(held.looks[-1]) if pod.uid in before]
        cordoned = all(seen(look).cordoned for look in held.looks)
        names = ", ".join(pod.name for pod in left)
        note = (
            f"still there: {names}" if left else "" if before else "no pod of the system was there"
        )
        gone = len(before) - len(left)
        return (
            counted("evicted", len(before), gone, len(held.looks), note=note,
                    confirmed=cordoned and bool(before) and not left),
        )  # fmt: skip

    def gone(self, held: Held, after: Look) -> str:
        left = seen(after).cordoned and not seen(held.before).cordoned
        return "it is still cordoned" if left else ""

    def says(self) -> str:
        return "drained of the system's pods"
