"""A toxic at work on one stream of one connection: a generator that takes pieces of data, waits,
and gives pieces on.

A toxic has no clock and does no I/O. It says what it waits for; the chain it stands in
(`proxy_chain`) resumes it with the time in `now`. What else can happen is thrown into it:
`Interrupted` when the toxics change, `Ended` when the sender's end has come, `Late` when nothing
came in time. What it holds it gives on when it is interrupted: no toxic loses data by going.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import ClassVar, Dict, Generator, NamedTuple, Union

from harness.agent.effects import Curve

#: How a stream ends: the sender has finished; a toxic closes the connection; or breaks it off.
FINISHED, CLOSE, RESET = "finished", "close", "reset"


class Piece(NamedTuple):
    """Bytes, and when they came or were due here (monotonic seconds)."""

    data: bytes
    at: float


@dataclass(frozen=True)
class Take:
    """The next piece, please; `Late` is thrown when none has come until then."""

    until: float = math.inf


@dataclass(frozen=True)
class Wait:
    """Until that time. One that is `deaf` cannot be interrupted."""

    until: float
    deaf: bool = False


@dataclass(frozen=True)
class Give:
    """Pass the piece on; goes on when the next one has room."""

    piece: Piece


Step = Union[Take, Wait, Give]
Pipe = Generator[Step, Piece, None]


class Interrupted(Exception):
    """The toxics are about to change: give on what you hold, and return."""


class Late(Exception):
    """Nothing came in time."""


class Ended(Exception):
    """The stream ends here. Thrown in when the sender's end has come, raised by a toxic that ends
    it by itself; one that leaves the generator ends the stream behind all that was given on."""

    def __init__(self, how: str = CLOSE) -> None:
        super().__init__(how)
        self.how = how


class Stage:
    """Base of all: passes everything on. Registered by Toxiproxy's name in `toxics`."""

    #: Pieces that wait before it while it is busy.
    room: ClassVar[int] = 0
    #: Its numbers by Toxiproxy's names, in Toxiproxy's order.
    names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, id: str, numbers: Dict[str, Curve], since: float, seed: float = 0.0) -> None:
        self.id = id
        self.numbers = numbers
        self.now = since
        self._since = since
        self.draw = random.Random(seed)

    def pipe(self) -> Pipe:
        """What it does from now on, until it is interrupted or the stream ends."""
        return self.pass_on()

    def pass_on(self) -> Pipe:
        """What one does that is not meant: nothing."""
        while True:
            yield Give((yield Take()))

    def met_by(self, data: bool) -> bool:
        """Whether data that passes has met it, or (`data` false) the sender's end."""
        return data

    def removed(self) -> str:
        """How the stream has to end when the toxic goes, if it has to."""
        return ""

    def number(self, name: str, at: float) -> float:
        """A number of the toxic at a monotonic time; 0 when it was not given."""
        curve = self.numbers.get(name)
        return 0.0 if curve is None else curve.at(at - self._since)
