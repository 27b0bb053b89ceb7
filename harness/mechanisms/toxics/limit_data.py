"""After `bytes` bytes, counted from the toxic's coming, the connection is closed."""

from __future__ import annotations

from harness.mechanisms.toxics.toxic import CLOSE, Ended, Give, Piece, Pipe, Stage, Take


class LimitData(Stage):
    names = ("bytes",)
    #: Bytes that have gone through; kept while the limit changes.
    passed = 0

    def pipe(self) -> Pipe:
        while True:
            piece = yield Take()
            rest = piece.data[: max(0, self._limit() - self.passed)]
            self.passed += len(rest)
            if rest:
                yield Give(Piece(rest, piece.at))
            if self.passed >= self._limit():
                raise Ended(CLOSE)

    def _limit(self) -> int:
        return int(self.number("bytes", self.now))
