"""What a shot came to, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """One shot to be taken. `delay_s` after the step; in the first round, which covers every cell,
    exactly at it."""

    substrate: str
    fault: str
    step: str
    victim: str
    delay_s: float = 0.0


@dataclass(frozen=True)
class Shot:
    """`hit`: how many processes were there to be killed; none: the step was not reached, or nobody
    of that kind lived. `effect_s`: after how long no trace of an effect was seen any more;
    `over_s`: when the last of the run's processes was gone. Seconds from the strike.

    `by`: who took it back first, as far as it could be seen. `left`: what stayed, `wrong`: what the
    run did that it must not do, in words. `load`: the machine's, averaged over a minute.
    """

    cell: Cell
    hit: int = 0
    by: str = ""
    effect_s: float = 0.0
    over_s: float = 0.0
    left: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    load: float = 0.0
    #: Of a rehearsal: each step with those who could be killed there.
    seen: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())

    @property
    def bad(self) -> bool:
        return bool(self.left or self.wrong)
