"""The judgement of a witness: what was asked, what was seen, whether that is the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Witnessed:
    """One field of a fault, asked and seen, in `unit` (s, share, bit/s, count, text in `note`).

    `low` and `high` bound what was seen (an interval or the range of windows). `confirmed` None:
    it cannot be seen here and is recorded as asked.
    """

    field: str
    asked: float
    value: float
    unit: str
    low: float
    high: float
    samples: int
    confirmed: bool | None
    note: str = ""
