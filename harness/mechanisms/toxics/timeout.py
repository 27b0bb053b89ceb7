"""No data goes on, and after `timeout` milliseconds without any the connection is closed; 0: never.

What came meanwhile is lost, so the connection is closed as well when the toxic goes. Unlike
Toxiproxy's, it swallows the sender's end too: who hears no answer does not hear its end either.
"""

from __future__ import annotations

import math
from typing import Tuple

from harness.mechanisms.toxics.toxic import CLOSE, Piece, Stage


class Timeout(Stage):
    def treat(self, piece: Piece) -> Tuple[Piece, ...]:
        self.begun = max(self.begun, piece.due)
        return ()

    def ends_at(self) -> float:
        wait_ms = self.number("timeout", self.begun)
        return self.begun + wait_ms / 1000 if wait_ms > 0 else math.inf

    def removed(self) -> str:
        return CLOSE
