"""What moves under a run: targets that are replaced, and services found at other addresses."""

from __future__ import annotations

from dataclasses import dataclass

from harness.agent.effects import Resource


@dataclass(frozen=True)
class Replaced:
    """The target of this resource is gone or going, and that one has taken its place."""

    gone: Resource
    by: Resource


@dataclass(frozen=True)
class Readdressed:
    """All of a service was found at these addresses, and is now at those."""

    before: tuple[str, ...]
    now: tuple[str, ...]


Move = Replaced | Readdressed
