"""Who hears Ctrl-C, SIGTERM and SIGHUP over the life of a run.

Before the run's own loop listens, the first signal ends the start (KeyboardInterrupt) and later
ones are not heard: taking down what was started must not be cut short. From then on each signal
goes to the loop, also after it has ended. What the caller ignores (nohup) stays ignored.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Listener = Callable[[str], None]


class Signals:
    """`listener` gets the name of each signal once it is set."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self._ended = False

    @contextmanager
    def heard(self) -> Iterator[Signals]:
        before = {n: h for n in _ENDING if (h := signal.getsignal(n)) is not signal.SIG_IGN}
        for number in before:
            signal.signal(number, self._on_signal)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.listener:
            self.listener(signal.Signals(number).name)
        elif not self._ended:
            self._ended = True
            raise KeyboardInterrupt
