"""One thing that works or does not, as `harness doctor` says it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import Exit


@dataclass(frozen=True)
class Check:
    """`why_not` is empty where it works. `ends` is the status of a run for want of it; `Exit.PASS`:
    only some things cannot be had."""

    what: str
    why_not: str = ""
    cure: str = ""
    ends: Exit = Exit.PASS
