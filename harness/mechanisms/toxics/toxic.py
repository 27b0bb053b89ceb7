"""A toxic at work on one stream of one connection: what it makes of each piece of data.

A stage has no clock and does no I/O: it is given pieces with the time they are due, and gives back
pieces with later times, fewer or more of them, or an end. The stream does the waiting, so that a
toxic that comes or goes acts at once on data that is already on its way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, Tuple

from harness.agent.effects import Curve

#: How a connection is ended: in order (FIN), or broken off (RST).
CLOSE, RESET = "close", "reset"


@dataclass(frozen=True)
class Piece:
    """Bytes that may go on at `due` (monotonic seconds); none means the sender has finished.
    `ends` closes or resets the connection instead. `chance` is one draw from [-1, 1) for
    everything about this piece, so that it can be treated again with the same result."""

    data: bytes
    due: float
    chance: float = 0.0
    ends: str = ""


class Stage:
    """Base of all: passes everything on."""

    def __init__(self, id: str, numbers: Dict[str, Curve], since: float, begun: float) -> None:
        self.id = id
        self.begun = begun
        self._numbers = numbers
        self._since = since

    def treat(self, piece: Piece) -> Tuple[Piece, ...]:
        """What becomes of a piece."""
        return (piece,)

    def ends_at(self) -> float:
        """When it closes the connection though nothing comes."""
        return math.inf

    def removed(self) -> str:
        """What has to happen to the connection when the toxic goes: "", `CLOSE` or `RESET`."""
        return ""

    def number(self, name: str, at: float) -> float:
        """A number of the toxic at a monotonic time; 0 when it was not given."""
        curve = self._numbers.get(name)
        return 0.0 if curve is None else curve.at(at - self._since)
