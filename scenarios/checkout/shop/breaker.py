"""A circuit breaker: after some failures in a row it rests, and then lets one call try."""

import time


class Open(Exception):
    """Not even tried: the last calls failed, and the rest is not over."""


class Breaker:
    def __init__(self, name: str, rest: float, failures: int = 5) -> None:
        self.name = name
        self.rest = rest
        self.failures = failures
        self._failed = 0
        self._until = 0.0

    def check(self) -> None:
        """Raise `Open` while it rests; after that, one call at a time tries."""
        if self._failed < self.failures:
            return
        now = time.monotonic()
        if now < self._until:
            raise Open(f"{self.name} is resting")
        self._until = now + self.rest

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        self._until = time.monotonic() + self.rest
