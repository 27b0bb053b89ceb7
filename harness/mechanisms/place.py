"""The directory of a world that has no namespaces: who keeps each replica, where proxies are told.

A resource there names files of it (`keepers/api-0`, `edges/api-0.database`); the directory itself
is made anew for each world, so it stands in the environment of our own processes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

#: The variable that names the directory.
PLACE = "HARNESS_PLACE"
KEEPERS, EDGES = "keepers", "edges"


@dataclass(frozen=True)
class Keeper:
    """The process whose descendants are a replica's, with its start, and the replica's port."""

    pid: int
    start: int
    port: int


def path_of(name: str) -> Path:
    return Path(os.environ.get(PLACE, "/nonexistent"), name)


def keeper_of(name: str) -> Optional[Keeper]:
    """Who keeps the replica now; None when it was never started, or its world has ended."""
    try:
        words = path_of(name).read_text().split()
    except OSError:
        return None
    return Keeper(*map(int, words))


def note_keeper(path: Path, keeper: Keeper) -> None:
    """Whole or not at all: others read it at any time."""
    draft = path.with_suffix(".new")
    draft.write_text(f"{keeper.pid} {keeper.start} {keeper.port}")
    draft.rename(path)
