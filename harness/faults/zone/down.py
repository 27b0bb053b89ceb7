"""`zone.down`: a zone is cut off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.faults.network.partition import Partition


class Down(Partition, kind="zone.down"):
    """No packet reaches or leaves the system's replicas in a zone; all else there goes on."""

    direction: Literal["both"] = Field("both", description="what they send and what they are sent")
    mode: Literal["drop"] = Field("drop", description="in silence, as when a cable is pulled")

    def says(self) -> str:
        return "cut off"
