"""Who is killed, and how: each strike is one moment, and says how many it hit.

A strike that stops somebody for longer than the lease has a second part, `relieve`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.agent.effects import Process
from harness.selftest.family import Family, signalled

KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
#: Two of the same signal at once would be one.
_BETWEEN_S = 0.03

Chosen = Callable[[Family, int], list[Process]]


@dataclass(frozen=True)
class Signalled:
    """`numbers` are sent one after the other to all that `choose` finds. `stays`: they are stopped,
    and go on once the lease is over."""

    name: str
    choose: Chosen
    numbers: tuple[signal.Signals, ...] = (KILL,)
    stays: bool = False

    def strike(self, family: Family, harness: int) -> int:
        """How many were hit; the first number is sent to everybody before the second."""
        chosen = self.choose(family, harness)
        if self.stays:
            family.frozen |= {(p.pid, p.start) for p in chosen}
        hit = 0
        for number in self.numbers:
            hit = max(hit, signalled(chosen, number))
            time.sleep(_BETWEEN_S)
        return hit

    def relieve(self, family: Family, harness: int) -> None:
        signalled(self.choose(family, harness), CONT)


def _harness(family: Family, harness: int) -> list[Process]:
    return [p for p in family.alive if p.pid == harness]


def _reapers(family: Family, _: int) -> list[Process]:
    return family.agents()[0]


def _agents(family: Family, _: int) -> list[Process]:
    return family.agents()[1]


def _mechanisms(family: Family, _: int) -> list[Process]:
    return family.mechanisms()


def _supervisors(family: Family, _: int) -> list[Process]:
    return family.supervisors()[1]


def _keepers(family: Family, _: int) -> list[Process]:
    return family.supervisors()[0]


def _group(family: Family, harness: int) -> list[Process]:
    return [p for p in family.alive if _group_of(p.pid) == harness]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _both(family: Family, _: int) -> list[Process]:
    return [process for half in family.agents() for process in half]


def _targets(family: Family, _: int) -> list[Process]:
    return family.targets()


def _all(family: Family, _: int) -> list[Process]:
    return list(family.alive)


_EVERYBODY = (
    Signalled("harness", _harness),
    Signalled("agent", _agents),
    Signalled("reaper", _reapers),
    Signalled("agent and reaper", _both, (STOP, KILL)),
    Signalled("mechanism", _mechanisms),
    Signalled("supervisor", _supervisors),
    Signalled("keeper", _keepers),
    Signalled("group", _group),
    Signalled("all", _all, (STOP, KILL)),
    Signalled("target", _targets),
    Signalled("Ctrl-C twice", _harness, (signal.SIGINT, signal.SIGINT)),
    Signalled("SIGTERM", _harness, (signal.SIGTERM,)),
    Signalled("harness stopped", _harness, (STOP,), stays=True),
    Signalled("agent stopped", _agents, (STOP,), stays=True),
)
VICTIMS = {victim.name: victim for victim in _EVERYBODY}

#: Whom a run survives.
SURVIVED = ("mechanism", "target", "target pod")
#: All that there are anywhere, as reports list them.
NAMES = (
    *VICTIMS, "agent's pod", "agent's shim", "target pod", "kubelet", "containerd", "cable", "node",
    "API server",
)  # fmt: skip
