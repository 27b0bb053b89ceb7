"""`pod.delete`: a pod is deleted, and whoever keeps it makes another."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import DeletePod
from harness.capabilities import Pods
from harness.faults._platform import counted, seen, staying
from harness.faults.fault import Event, Held
from harness.record.witness import Witnessed
from harness.units import Duration


class Delete(Event, kind="pod.delete"):
    """The pod is deleted as with kubectl: it is told to end, and its traffic goes elsewhere."""

    grace: Duration | None = Field(
        None, description="to end by itself; else what the pod says", examples=["0s", "5s"]
    )

    needs: ClassVar[type] = Pods

    def act(self) -> DeletePod:
        return DeletePod(-1.0 if self.grace is None else float(self.grace))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        """That very pod: another of its name is another pod."""
        there = bool(staying(held.before))
        gone = not staying(held.looks[-1])
        ending = any(pod.leaving for pod in seen(held.looks[-1]).pods)
        note = "it is ending" if gone and ending else "" if there else "it was gone before"
        return (
            counted("deleted", 1, int(gone and there), len(held.looks), confirmed=gone and there,
                    note=note),
        )  # fmt: skip

    def says(self) -> str:
        return "deleted" if self.grace is None else f"deleted, {self.grace} to end"
