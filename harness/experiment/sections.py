"""Reads the guard of an experiment, and finds the files that it names."""

from __future__ import annotations

import os
from pathlib import Path

from harness.experiment import codes, shapes
from harness.experiment.fields import Fields, wrong
from harness.experiment.model import (
    Abort,
    Guard,
)
from harness.experiment.objectives import MisreadError, read_abort
from harness.experiment.problems import Place, Problems, nearest
from harness.experiment.tree import Node

_GUARD = Guard()


def existing_file(fields: Fields, key: str, directory: Path) -> Path | None:
    """The file that a key names, relative to the directory of the file it stands in."""
    named, node = fields.text(key), fields.node_of(key)
    if not named or node is None:
        return None
    path = Path(os.path.normpath(directory / named))
    if os.path.isfile(path):  # noqa: PTH113  Path.is_file raises for odd names
        return path
    likely = nearest(path.name, _siblings(path))
    hint = f"did you mean {likely}?" if likely else ""
    fields.problems.add(node.place, codes.NO_FILE, f"there is no file {path}", hint)
    return None


def _siblings(path: Path) -> list[str]:
    """The files of the same kind where this one should be."""
    try:
        return [p.name for p in path.parent.iterdir() if p.suffix == path.suffix][:1000]
    except (OSError, ValueError):
        return []


def place_of(fields: Fields, key: str) -> Place:
    node = fields.node_of(key)
    return node.place if node else fields.node.place


# ---------------------------------------------------------------- guard


def read_guard(fields: Fields) -> Guard:
    radius = fields.below("blast_radius", shapes.BLAST_RADIUS)
    maximum = fields.duration("max_duration", _GUARD.max_duration)
    if maximum <= 0:
        place = place_of(fields, "max_duration")
        fields.problems.add(place, codes.QUANTITY, "a run of 0s is no run")
    return Guard(
        aborts=_aborts(fields),
        blast_radius=tuple(
            (key, radius.integer(key, 0, lowest=0))
            for key in shapes.BLAST_RADIUS.names
            if radius and radius.has(key)
        ),
        max_duration=maximum,
    )


def _aborts(fields: Fields) -> tuple[Abort, ...]:
    node = fields.node_of("abort")
    if node is None:
        return ()
    nodes = node.data if isinstance(node.data, tuple) else (node,)
    read = (_abort(item, fields.problems) for item in nodes)
    return tuple(abort for abort in read if abort)


def _abort(node: Node, problems: Problems) -> Abort | None:
    if not isinstance(node.data, str):
        wrong(node, "an abort condition is one line of text", problems)
        return None
    try:
        return read_abort(node.data)
    except MisreadError as error:
        problems.add(node.at(error.offset), codes.ABORT, error.message, error.hint)
        return None
