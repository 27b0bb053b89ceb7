"""`timeout` milliseconds after the next data or the sender's end the connection ends, and what came
is lost. It is reset where it began under this toxic, and closed in order where it did not."""

from __future__ import annotations

import contextlib

from harness.mechanisms.toxics.toxic import CLOSE, RESET, Ended, Pipe, Stage, Take, Wait


class ResetPeer(Stage):
    names = ("timeout",)
    how = CLOSE

    def pipe(self) -> Pipe:
        with contextlib.suppress(Ended):
            yield Take()
        yield Wait(self.now + self.number("timeout", self.now) / 1000, deaf=True)
        raise Ended(self.how)


class Reset(ResetPeer):
    """It resets connections that were open before it came, too."""

    how = RESET

    def pipe(self) -> Pipe:
        yield Take()
        yield Wait(self.now + self.number("timeout", self.now) / 1000)
        raise Ended(self.how)
