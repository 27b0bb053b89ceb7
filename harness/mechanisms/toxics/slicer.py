"""Data goes on in slices of `average_size` plus or minus `size_variation` bytes, with `delay`
microseconds after each."""

from __future__ import annotations

from typing import Iterator

from harness.mechanisms.toxics.toxic import Give, Interrupted, Piece, Pipe, Stage, Take, Wait


class Slicer(Stage):
    names = ("average_size", "size_variation", "delay")

    def pipe(self) -> Pipe:
        while True:
            piece = yield Take()
            given = 0
            try:
                for end in self._ends(0, len(piece.data)):
                    yield Give(Piece(piece.data[given:end], piece.at))
                    given = end
                    yield Wait(self.now + self.number("delay", self.now) / 1e6)
            except Interrupted:
                if given < len(piece.data):
                    yield Give(Piece(piece.data[given:], piece.at))
                return

    def _ends(self, start: int, end: int) -> Iterator[int]:
        """Where slices end: halved until they are small enough, each time a little beside the
        middle, so that their sizes vary without a tendency."""
        average = max(1, int(self.number("average_size", self.now)))
        variation = max(0, int(self.number("size_variation", self.now)))
        if end - start - average <= variation or end - start < 2:
            yield end
            return
        middle = start + (end - start) // 2
        if variation:
            middle += self.draw.randrange(2 * variation) - variation
        middle = min(max(start + 1, middle), end - 1)
        yield from self._ends(start, middle)
        yield from self._ends(middle, end)
