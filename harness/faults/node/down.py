"""`node.down`: a node loses its power."""

from __future__ import annotations

from typing import ClassVar

from harness.agent.effects import PoweredOff
from harness.capabilities import Nodes
from harness.faults._platform import counted, seen
from harness.faults.fault import Condition, Held, Look
from harness.record.witness import Witnessed


class Down(Condition, kind="node.down"):
    """The node is switched off, with all that runs on it, then on again; the System file names the
    switch (`kubernetes.power`)."""

    needs: ClassVar[type] = Nodes

    def effect(self) -> PoweredOff:
        return PoweredOff()

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        """A connection to it from here, which asks no API server."""
        silent = sum(not seen(look).answers for look in held.looks)
        before = seen(held.before).answers
        note = "" if before else "it did not answer before, either"
        return (
            counted("down", 1, int(silent > 0), len(held.looks), note=note,
                    confirmed=before and silent == len(held.looks)),
        )  # fmt: skip

    def gone(self, held: Held, after: Look) -> str:
        return "" if seen(after).answers else "it still does not answer"

    def says(self) -> str:
        return "without power"
