"""The engine's words: what it is told (events) and what it asks for (commands).

Times are seconds from the end of the warm-up. Commands of one answer are carried out in their
order, and a `Write` that fails cancels those behind it: that is how a receipt is on disk before
its effect. Every other command is answered by one `Done` or `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from harness.agent.effects import InForce, Snapshot
from harness.record.journal import StepName
from harness.record.moves import Move


class State(Enum):
    """The life of one effect; drawn in ARCHITECTURE.md."""

    PLANNED = "planned"
    BEFORE = "looking before"
    READY = "ready"
    SNAPSHOT = "taking a snapshot"
    INJECTING = "injecting"
    HELD = "held"
    REVERTING = "reverting"
    CHECKING = "checking"
    GONE = "gone"
    TARGET_GONE = "target gone"
    LEFT_BEHIND = "left behind"
    SKIPPED = "skipped"


#: Something of it is on, or may be.
ON = (State.INJECTING, State.HELD, State.REVERTING, State.CHECKING)
ENDED = frozenset({State.GONE, State.TARGET_GONE, State.LEFT_BEHIND, State.SKIPPED})


# ---------------------------------------------------------------- commands


@dataclass(frozen=True)
class Write:
    """Append a step to the journal and fsync it."""

    step: StepName
    effect: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TakeSnapshot:
    effect: str


@dataclass(frozen=True)
class Make:
    """Make `in_force`, and nothing else, true on the resource of `effect`."""

    effect: str
    receipt: str
    generation: int
    snapshot: Snapshot
    in_force: tuple[InForce, ...]


@dataclass(frozen=True)
class Perform:
    """Carry out the act of an event, once."""

    effect: str
    receipt: str


@dataclass(frozen=True)
class LookBefore:
    effect: str


@dataclass(frozen=True)
class Look:
    """Measure an effect in force, for at most `for_s` seconds."""

    effect: str
    for_s: float


@dataclass(frozen=True)
class CheckGone:
    """See that nothing of the effect is left; compare with `snapshot` where it was the last.
    `earlier`: how many looks found something so far."""

    effect: str
    snapshot: Snapshot | None
    earlier: int


@dataclass(frozen=True)
class AskGate:
    """May this intervention begin `beside` those that are on? `alone`: nothing else is in force,
    so the baseline must hold."""

    intervention: str
    alone: bool
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class StartLoad:
    pass


@dataclass(frozen=True)
class StopLoad:
    pass


@dataclass(frozen=True)
class Finish:
    pass


Command = (
    Write | TakeSnapshot | Make | Perform | LookBefore | Look | CheckGone | AskGate
    | StartLoad | StopLoad | Finish
)  # fmt: skip


# ---------------------------------------------------------------- events


@dataclass(frozen=True)
class Begin:
    """The world is ready."""


@dataclass(frozen=True)
class Tick:
    now: float


@dataclass(frozen=True)
class Done:
    """A command was carried out. `result`: a Snapshot for TakeSnapshot; for Look and CheckGone a
    `Finding`; for AskGate the reason not to (empty: go).
    """

    command: Command
    result: Any = None


@dataclass(frozen=True)
class Failed:
    """A command was not carried out, or nobody knows. `target_gone`: there is nothing to act on."""

    command: Command
    reason: str
    target_gone: bool = False


@dataclass(frozen=True)
class Abort:
    """Take everything back and end.

    `by`: person, guard, blind, lease, baseline, world, disk, internal. `world` is what the run
    stands on; `disk` is that of the run directory.
    """

    reason: str
    by: str


@dataclass(frozen=True)
class Decided:
    """The phase told all that it can: go on to what comes next. `what` was decided."""

    phase: str
    what: tuple[str, ...]


Event = Begin | Tick | Done | Failed | Abort | Decided | Move


@dataclass(frozen=True)
class Finding:
    """What a look came to. `data` is what the journal keeps of it; `fine`: confirmed, or gone."""

    fine: bool = False
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)
