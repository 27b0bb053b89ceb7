"""`rollout.bad_image`: a release whose image cannot be had."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.agent.effects import Image
from harness.capabilities import Workloads
from harness.faults._platform import counted, staying
from harness.faults.fault import Condition, Held, Look
from harness.record.witness import Witnessed


class BadImage(Condition, kind="rollout.bad_image"):
    """The workload is rolled out with an image that nobody has, then rolled back."""

    image: str = Field(
        "harness.invalid/no-such-image:1", description="what is rolled out",
        examples=["registry.example/shop:broken"],
    )  # fmt: skip
    container: str = Field("", description="of which container; else the first", examples=["api"])

    needs: ClassVar[type] = Workloads

    def effect(self) -> Image:
        return Image(self.image, self.container)

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        """A pod of the new release was made, and waits for an image."""
        released = [
            [pod for pod in staying(look) if pod.image == self.image] for look in held.looks
        ]
        stuck = [pod for pod in released[-1] if pod.waiting and not pod.ready]
        words = sorted({pod.waiting for pod in stuck})
        note = ", ".join(words) or "no pod of the new release waits for its image"
        served = any(pod.ready for pods in released for pod in pods)
        return (
            counted("pods without an image", 1, len(stuck), len(released), note=note,
                    confirmed=bool(stuck) and not served),
        )  # fmt: skip

    def gone(self, held: Held, after: Look) -> str:
        left = [pod.name for pod in staying(after) if pod.image == self.image]
        return f"pods of the bad release: {', '.join(left)}" if left else ""

    def says(self) -> str:
        return f"{self.container or 'its first container'} as {self.image}"
