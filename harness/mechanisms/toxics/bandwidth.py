"""Data goes on at `rate` KB/s (1000 bytes), at low rates in slices of 100 ms; 0: not at all."""

from __future__ import annotations

import math

from harness.mechanisms.toxics.toxic import Give, Interrupted, Piece, Pipe, Stage, Take, Wait

_SLICE_S = 0.1


class Bandwidth(Stage):
    names = ("rate",)

    def pipe(self) -> Pipe:
        owed_s = 0.0
        while True:
            piece = yield Take()
            rate = self._rate()
            owed_s = owed_s + len(piece.data) / rate if rate else 0.0
            try:
                while len(piece.data) > (most := int(self._rate() * _SLICE_S)):
                    yield Wait(self.now + _SLICE_S if most else self._when_it_flows())
                    if most:
                        yield Give(Piece(piece.data[:most], piece.at))
                        piece = Piece(piece.data[most:], piece.at)
                        owed_s -= _SLICE_S
                begun = self.now
                yield Wait(begun + owed_s)
            except Interrupted:
                yield Give(piece)
                return
            owed_s -= self.now - begun  # a wait that was too long makes the next one shorter
            yield Give(piece)

    def _rate(self) -> float:
        """Bytes a second."""
        return max(0.0, self.number("rate", self.now)) * 1000

    def _when_it_flows(self) -> float:
        """When to look again at a rate of nothing; one that never changes needs no look."""
        curve = self.numbers.get("rate")
        return math.inf if curve is None or curve.is_constant else self.now + _SLICE_S
