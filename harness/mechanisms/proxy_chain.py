"""The toxics on one stream of one connection, one behind the other: pure, without clock or I/O.

Between two toxics is a channel; a toxic that gives on waits until the next one has taken, so a slow
toxic slows the sender down, as in Toxiproxy. Toxics come at the end, change and go while data is on
its way: each piece stays in its order, and none is lost or doubled.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Callable, Deque, Dict, List, Optional

from harness.agent.effects import Curve
from harness.mechanisms.toxics.toxic import (
    Ended,
    Give,
    Interrupted,
    Late,
    Piece,
    Pipe,
    Stage,
    Step,
    Take,
    Wait,
)

_NOTHING = Piece(b"", 0.0)


class Channel:
    """Pieces on their way, and how the stream ends behind them, when it does."""

    __slots__ = ("ended", "pieces", "room")

    def __init__(self, room: int = 0) -> None:
        self.pieces: Deque[Piece] = deque()
        self.room = room
        self.ended = ""

    @property
    def full(self) -> bool:
        return len(self.pieces) > self.room

    @property
    def over(self) -> str:
        """How the stream has ended, once all before has gone."""
        return "" if self.pieces else self.ended


class Stub:
    """One toxic in its place. `step` is what it waits for; none: it has ended its stream."""

    def __init__(
        self, stage: Stage, inbox: Channel, outbox: Channel,
        applies: Callable[[], bool], met: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.stage, self.inbox, self.outbox = stage, inbox, outbox
        self.step: Optional[Step] = None
        self._applies, self._met = applies, met

    def begin(self, now: float) -> None:
        """Run it, or what stands in for it where its share leaves this connection out."""
        self._meant = self._applies()
        self._pipe: Pipe = self.stage.pipe() if self._meant else self.stage.pass_on()
        self._go(lambda: next(self._pipe), now)

    def moves(self, now: float) -> bool:
        """One step, if what it waits for is there."""
        step = self.step
        if isinstance(step, Take):
            return self._takes(step, now)
        if isinstance(step, Wait):
            ready = step.until <= now
        else:
            ready = step is not None and not self.outbox.full
        if ready:
            self._go(lambda: self._pipe.send(_NOTHING), now)
        return ready

    def _takes(self, step: Take, now: float) -> bool:
        if self.inbox.pieces:
            piece = self.inbox.pieces.popleft()
            self._meet(data=True)
            self._go(lambda: self._pipe.send(piece), now)
        elif self.inbox.ended:
            self._meet(data=False)
            self._throw(Ended(self.inbox.ended), now)
        elif step.until <= now:
            self._throw(Late(), now)
        else:
            return False
        return True

    def _meet(self, data: bool) -> None:
        if self._meant and self.stage.met_by(data):
            self._met(self.stage.id)

    def interrupt(self, now: float) -> bool:
        """It gives on what it holds and stops; false when it has ended its stream or will."""
        while isinstance(self.step, Give):
            self._go(lambda: self._pipe.send(_NOTHING), now)
        if self.step is None or (isinstance(self.step, Wait) and self.step.deaf):
            return False
        self._throw(Interrupted(), now)
        while isinstance(self.step, Give):
            self._go(lambda: self._pipe.send(_NOTHING), now)
        return not self.outbox.ended

    def end(self, how: str) -> None:
        self.step = None
        self.outbox.ended = self.outbox.ended or how

    def _throw(self, what: Exception, now: float) -> None:
        self._go(lambda: self._pipe.throw(what), now)

    def _go(self, on: Callable[[], Step], now: float) -> None:
        self.stage.now = now
        self.step = None
        try:
            self.step = on()
        except Ended as ended:
            self.end(ended.how)
        except (Interrupted, StopIteration):
            return
        if isinstance(self.step, Give):
            self.outbox.pieces.append(self.step.piece)


class Chain:
    """All toxics of one stream. `first` is fed with what came, `last` holds what may go out.

    `exact`: a toxic that comes or goes disturbs its neighbour as in Toxiproxy, where a piece that
    the neighbour holds goes on at once. Otherwise neighbours hear nothing of it.
    """

    def __init__(self, met: Callable[[str], None], exact: bool = False) -> None:
        self.first = self.last = Channel()
        self._stubs: List[Stub] = []
        self._met, self._exact = met, exact

    @property
    def idle(self) -> bool:
        """Nothing to do for anybody: data may go straight on."""
        return not self._stubs and not self.last.pieces and not self.last.ended

    def move(self, now: float) -> float:
        """Everything as far as it goes; says when to come again though nothing happens."""
        moved = True
        while moved:
            moved = False
            for stub in self._stubs:
                while stub.moves(now):
                    moved = True
        waits = (s.step.until for s in self._stubs if isinstance(s.step, (Take, Wait)))
        return min(waits, default=math.inf)

    def put(self, stage: Stage, applies: Callable[[], bool], now: float) -> None:
        """A toxic comes, behind all others. A stream that has ended has no use for it."""
        if self.last.ended:
            return
        before = self._stubs[-1] if self._stubs else None
        stopped = before is not None and self._exact and before.interrupt(now)
        inbox = Channel(stage.room)
        if before is None:
            self.first = inbox
        else:
            before.outbox = inbox
        self._stubs.append(Stub(stage, inbox, self.last, applies, self._met))
        self._stubs[-1].begin(now)
        if before is not None and stopped:
            before.begin(now)

    def change(self, id: str, numbers: Dict[str, Curve], now: float) -> None:
        """A toxic has other numbers; what it holds goes on."""
        for stub in self._stubs:
            if stub.stage.id == id:
                stub.stage.numbers = numbers
                if stub.interrupt(now):
                    stub.begin(now)

    def take(self, id: str, now: float) -> None:
        """A toxic goes; all that waited for it goes on in its order."""
        for place, stub in enumerate(self._stubs):
            if stub.stage.id == id:
                self._take(place, stub, now)
                return

    def _take(self, place: int, stub: Stub, now: float) -> None:
        if not stub.interrupt(now):
            return  # its stream ends with it: in order, whoever stands behind
        how = stub.stage.removed()
        if how:
            stub.end(how)
            return
        before = self._stubs[place - 1] if place else None
        stopped = before is not None and self._exact and before.interrupt(now)
        stub.outbox.pieces.extend(stub.inbox.pieces)
        stub.outbox.ended = stub.inbox.ended
        del self._stubs[place]
        if before is None:
            self.first = stub.outbox
        else:
            before.outbox = stub.outbox
            if stopped:
                before.begin(now)
