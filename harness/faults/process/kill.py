"""`process.kill`: the target's processes are killed, once."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.agent.effects import Kill as KillAct
from harness.agent.effects import ProcessesSeen
from harness.capabilities import Signals
from harness.faults.fault import Event, Held, Look
from harness.record.witness import Witnessed


class Kill(Event, kind="process.kill"):
    """Every process of the target gets a signal, once; whoever restarts it is left alone.

    With KILL all of them end at the same moment. With TERM a process may tidy up first; one that
    ignores it makes the fault unconfirmed.
    """

    signal: Literal["KILL", "TERM", "INT", "QUIT", "ABRT"] = Field(
        "KILL", description="what they get", examples=["KILL", "TERM"]
    )

    needs: ClassVar[type] = Signals

    def act(self) -> KillAct:
        return KillAct(self.signal)

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        before, now = _processes(held.before), _processes(held.looks[-1])
        there = {(p.pid, p.start) for p in now.alive}
        survivors = [p for p in before.alive if (p.pid, p.start) in there]
        gone = len(now.gone)
        names = ", ".join(f"{p.command} ({p.pid})" for p in survivors)
        return (
            Witnessed(
                "killed", gone + len(survivors), gone, "count", gone, gone, len(held.looks),
                confirmed=gone > 0 and not survivors,
                note=f"still alive: {names}" if survivors else "",
            ),
        )  # fmt: skip


def _processes(look: Look) -> ProcessesSeen:
    assert isinstance(look.seen, ProcessesSeen), "processes are looked at in /proc"
    return look.seen
