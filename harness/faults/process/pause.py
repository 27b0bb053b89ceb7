"""`process.pause`: the target's processes stand still."""

from __future__ import annotations

from typing import ClassVar

from harness.agent.effects import ProcessesSeen, Stopped
from harness.capabilities import Signals
from harness.faults.fault import Condition, Held, Look
from harness.record.witness import Witnessed

_MOSTLY = 0.75  # of the looks: a process that has just come runs for up to 100 ms


class Pause(Condition, kind="process.pause"):
    """Every process of the target is stopped (SIGSTOP), newcomers too, then continued.

    The kernel still takes connections for it, and nobody reads them: it hangs, as in a long
    collection of garbage or on a machine that swaps.
    """

    needs: ClassVar[type] = Signals

    def effect(self) -> Stopped:
        return Stopped()

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        shares = [_stopped(look) for look in held.looks]
        mean = sum(shares) / len(shares)
        still = sum(share == 1 for share in shares) >= _MOSTLY * len(shares)
        return (
            Witnessed(
                "stopped", 1.0, mean, "share", min(shares), max(shares), len(shares), still,
                note="" if still else "of its processes",
            ),
        )  # fmt: skip

    def gone(self, held: Held, after: Look) -> str:
        if any(r == held.resource and isinstance(e.effect, Stopped) for r, e in after.others):
            return ""  # another pause still holds them
        before = {(p.pid, p.start) for p in _processes(held.before).alive if p.state == "T"}
        stopped = [p for p in _processes(after).alive if p.state == "T"]
        names = [f"{p.command} ({p.pid})" for p in stopped if (p.pid, p.start) not in before]
        return f"still stopped: {', '.join(names)}" if names else ""

    def says(self) -> str:
        return "all of its processes stopped"


def _stopped(look: Look) -> float:
    """The share of the processes that stand still; none at all is nothing seen."""
    alive = _processes(look).alive
    return sum(p.state in "Tt" for p in alive) / len(alive) if alive else 0.0


def _processes(look: Look) -> ProcessesSeen:
    assert isinstance(look.seen, ProcessesSeen), "processes are looked at in /proc"
    return look.seen
