"""`container.kill`: the processes of one container are killed; its pod stays."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.agent.effects import KillContainer
from harness.capabilities import Pods
from harness.faults._platform import counted, seen
from harness.faults.fault import Event, Held
from harness.record.witness import Witnessed


class Kill(Event, kind="container.kill"):
    """Every process of one container gets a signal, once; its kubelet starts it again."""

    container: str = Field("", description="its name; else the pod's first", examples=["api"])
    signal: Literal["KILL", "TERM", "INT", "QUIT", "ABRT"] = Field(
        "KILL", description="what they get", examples=["KILL", "TERM"]
    )

    needs: ClassVar[type] = Pods

    def act(self) -> KillContainer:
        return KillContainer(self.container, self.signal)

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        """Its kubelet tells: it has started the container again, or has it waiting."""
        before = {pod.uid: pod.restarts for pod in seen(held.before).pods}
        now = [pod for pod in seen(held.looks[-1]).pods if pod.uid in before]
        ended = sum(pod.restarts > before[pod.uid] or bool(pod.waiting) for pod in now)
        ended += len(before) - len(now)
        return (
            counted("killed", len(before), ended, len(held.looks),
                    confirmed=0 < len(before) == ended),
        )  # fmt: skip

    def says(self) -> str:
        return f"{self.container or 'its first container'} gets {self.signal}"
