"""What goes wrong in one schedule: the faults of the harness itself, drawn at random.

A quarter of the schedules have none but their order; the others have one to three kinds, so that
what each of them does can be seen, and what they do to each other. A fifth of all end in a crash.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

KINDS = (
    "refused", "unanswered", "stubborn", "flaps", "gone", "slow", "clock", "lease", "disk",
    "abort", "gate", "decided", "replaced",
)  # fmt: skip


@dataclass(frozen=True)
class Troubles:
    """`kinds` by name; the numbers say when, counted in steps of the schedule or lines of the
    journal (-1: never), and how often.

    refused      commands fail, and nothing was done          slow   answers come late
    unanswered   they fail, and nobody knows                  clock  it is set by an hour, both ways
    stubborn     taking back fails `stubborn` times, works    lease  it is lost at step `lease_at`
    flaps        witnesses see what is not so                 disk   line `disk_at` is not written,
    gone         targets disappear                                   nor later ones if `disk_full`
    abort        a person, at step `abort_at`                 crash  all die at step `crash_at`
    gate         the baseline does not hold                   decided  phases end early
    replaced     others take the place of targets, and what filters mean is elsewhere
    """

    kinds: frozenset[str] = frozenset()
    stubborn: int = 0
    abort_at: int = -1
    crash_at: int = -1
    lease_at: int = -1
    disk_at: int = -1
    disk_full: bool = False

    def __contains__(self, kind: str) -> bool:
        return kind in self.kinds


def draw(chance: random.Random) -> Troubles:
    count = chance.choice((0, 0, 1, 1, 1, 2, 2, 3))
    kinds = frozenset(chance.sample(KINDS, count))
    return Troubles(
        kinds,
        stubborn=chance.choice((1, 2, 2, 9)) if "stubborn" in kinds else 0,
        crash_at=chance.randrange(45) if chance.random() < 0.2 else -1,
        abort_at=chance.randrange(60) if "abort" in kinds else -1,
        lease_at=chance.randrange(50) if "lease" in kinds else -1,
        disk_at=chance.randrange(25) if "disk" in kinds else -1,
        disk_full="disk" in kinds and chance.random() < 0.5,
    )
