"""The connection is reset (RST) `timeout` milliseconds after the next data; the data is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Tuple

from harness.mechanisms.toxics.toxic import RESET, Piece, Stage


class ResetPeer(Stage):
    def treat(self, piece: Piece) -> Tuple[Piece, ...]:
        wait_s = self.number("timeout", piece.due) / 1000
        return (replace(piece, data=b"", due=piece.due + wait_s, ends=RESET),)
