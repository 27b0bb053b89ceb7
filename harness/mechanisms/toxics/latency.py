"""Data goes on `latency` plus or minus `jitter` milliseconds later, in its order."""

from __future__ import annotations

from dataclasses import replace
from typing import Tuple

from harness.mechanisms.toxics.toxic import Piece, Stage


class Latency(Stage):
    def treat(self, piece: Piece) -> Tuple[Piece, ...]:
        mean, jitter = (self.number(name, piece.due) for name in ("latency", "jitter"))
        return (replace(piece, due=piece.due + max(0.0, mean + jitter * piece.chance) / 1000),)
