"""Data goes on `latency` plus or minus `jitter` milliseconds later, in its order."""

from __future__ import annotations

import math

from harness.mechanisms.toxics.toxic import Give, Interrupted, Piece, Pipe, Stage, Take, Wait


class Latency(Stage):
    room = 1024
    names = ("latency", "jitter")

    def pipe(self) -> Pipe:
        while True:
            piece = yield Take()
            due = piece.at + self._delay_s(piece.at)
            try:
                yield Wait(due)
            except Interrupted:
                yield Give(piece)
                return
            yield Give(Piece(piece.data, due))

    def _delay_s(self, at: float) -> float:
        mean, jitter = self.number("latency", at), self.number("jitter", at)
        if jitter > 0:  # whole milliseconds, the least included and the most not
            mean += math.floor(self.draw.uniform(-jitter, jitter))
        return mean / 1000
