"""Which tasks bear which tag: `load.tags.json`, written by the first load worker.

Tags stand on tasks (Locust's `@tag`), so what is counted by tag are journeys. The names are those
of journeys in the recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

FILE = "load.tags.json"

Tags = tuple[tuple[str, frozenset[str]], ...]


def write_tags(directory: Path, tags: Mapping[str, Iterable[str]]) -> None:
    text = json.dumps({tag: sorted(tasks) for tag, tasks in sorted(tags.items())})
    (directory / FILE).write_text(text)


def read_tags(directory: Path) -> Tags:
    """Each tag with the names of its journeys; none where no task has any."""
    try:
        data = json.loads((directory / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return ()
    return tuple((tag, frozenset(tasks)) for tag, tasks in data.items())
