"""The sender's end goes on `delay` milliseconds after it came."""

from __future__ import annotations

from harness.mechanisms.toxics.toxic import Ended, Give, Pipe, Stage, Take, Wait


class SlowClose(Stage):
    names = ("delay",)

    def pipe(self) -> Pipe:
        try:
            while True:
                yield Give((yield Take()))
        except Ended:
            yield Wait(self.now + self.number("delay", self.now) / 1000)
            raise

    def met_by(self, data: bool) -> bool:
        return not data
