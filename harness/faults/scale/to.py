"""`scale.to`: a workload has another size."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import Replicas
from harness.capabilities import Workloads
from harness.faults._platform import counted, seen, staying
from harness.faults.fault import Condition, Held, Look
from harness.record.witness import Witnessed


class To(Condition, kind="scale.to"):
    """The workload is asked for so many pods, then for as many as before."""

    replicas: int = Field(description="pods that are asked for", examples=[0, 1], ge=0, le=1000)

    needs: ClassVar[type] = Workloads

    def effect(self) -> Replicas:
        return Replicas(self.replicas)

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        ready = [sum(pod.ready for pod in staying(look)) for look in held.looks]
        asked = all(seen(look).replicas == self.replicas for look in held.looks)
        changed = seen(held.before).replicas != self.replicas
        note = "" if changed else "it had that size before"
        return (
            counted("ready pods", self.replicas, ready[-1], len(ready), note=note,
                    confirmed=asked and changed and ready[-1] == self.replicas),
        )  # fmt: skip

    def gone(self, held: Held, after: Look) -> str:
        before, now = seen(held.before).replicas, len(staying(after))
        return "" if now == before else f"there are {now} pods, and were {before}"

    def says(self) -> str:
        return f"{self.replicas} replicas"
