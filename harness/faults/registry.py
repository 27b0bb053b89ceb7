"""Finds faults by name without importing those that nobody asked for.

The built-in ones are files of this package; others come from the entry point group
`harness.faults` (name = `family.fault`, value = the class).
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.faults.fault import Fault

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

_HERE = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """Every registered fault, sorted. Imports none of them."""
    return tuple(sorted({*_built_in(), *(point.name for point in _plugged())}))


def _built_in() -> tuple[str, ...]:
    files = _HERE.glob("*/*.py")
    return tuple(f"{f.parent.name}.{f.stem}" for f in files if not f.stem.startswith("_"))


@cache
def find(name: str) -> type[Fault] | None:
    """The fault of that name, or None."""
    if name in _built_in():
        return _class_of(f"harness.faults.{name}", name)
    for point in _plugged():
        if point.name == name:
            found: type[Fault] = point.load()
            return found
    return None


@cache
def _plugged() -> EntryPoints:
    from importlib.metadata import entry_points  # 15 ms, and `validate` mostly needs none of it

    return entry_points(group="harness.faults")


def _class_of(module_name: str, name: str) -> type[Fault]:
    module = importlib.import_module(module_name)
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Fault) and value.kind == name
    )
