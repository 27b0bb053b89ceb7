"""What became of the arrivals of one worker, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    due: int = 0
    sent: int = 0
    dropped: int = 0
    done: int = 0
