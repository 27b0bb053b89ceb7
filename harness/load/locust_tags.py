"""The tags of a Locust file's tasks, by the names that their journeys have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from locust import TaskSet, User

from harness.load.locust_crowd import task_name


def tags_of(kinds: Iterable[type[User]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for kind in kinds:
        for holder, task in _tasks(kind):
            for tag in getattr(task, "locust_tag_set", ()):
                found[tag].add(task_name(holder, task))
    return dict(found)


def _tasks(holder: Any) -> Iterator[tuple[type, Any]]:
    """Every task that is no TaskSet, with the class that it stands in."""
    for task in dict.fromkeys(holder.tasks):
        if isinstance(task, type) and issubclass(task, TaskSet):
            yield from _tasks(task)
        else:
            yield holder, task
