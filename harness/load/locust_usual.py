"""Which requests a task makes when all goes well: what a failure prevented is the rest of them.

Learnt from the journeys that went well. Of a task that makes now more, now fewer, the shortest
counts, so that a request is called skipped only when it surely was; before the first good journey
nothing is known, and nothing is called skipped.
"""

from __future__ import annotations

from collections import Counter


class Usual:
    def __init__(self) -> None:
        self._requests: dict[str, tuple[str, ...]] = {}

    def learn(self, task: str, requests: list[str]) -> None:
        known = self._requests.get(task)
        if known is None or len(requests) < len(known):
            self._requests[task] = tuple(requests)

    def missing(self, task: str, made: list[str]) -> list[str]:
        """The requests that this journey was still to make, in their order."""
        left, missing = Counter(made), []
        for name in self._requests.get(task, ()):
            if left[name]:
                left[name] -= 1
            else:
                missing.append(name)
        return missing
