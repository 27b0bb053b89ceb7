"""Reads the guard of an experiment, and finds the files that it names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness.experiment import codes, shapes
from harness.experiment.fields import Fields, wrong
from harness.experiment.model import Abort, Guard
from harness.experiment.objectives import MisreadError, read_abort
from harness.experiment.problems import Place, Problems, nearest
from harness.experiment.tree import Node

_GUARD = Guard()
_COUNTED = ("services", "replicas", "pods", "nodes", "zones")
_AT_LEAST = re.compile(r"at least (\d{1,2}(?:\.\d+)?|100)%")


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
            for key in _COUNTED
            if radius and radius.has(key)
        ),
        max_duration=maximum,
        namespaces=radius.names("namespaces") if radius else (),
        ready_endpoints=_at_least(radius) if radius else 0.0,
        budgets=radius.names("budgets") if radius else (),
        quorums=radius.names("quorums") if radius else (),
    )


def _at_least(radius: Fields) -> float:
    """`at least 50%` as a share."""
    node = radius.node_of("ready_endpoints")
    if node is None:
        return 0.0
    match = _AT_LEAST.fullmatch(node.raw)
    if match is None:
        said = f"ready_endpoints is like at least 50%, not {node.raw or node.what}"
        radius.problems.add(node.place, codes.CHOICE, said)
    return float(match[1]) / 100 if match else 0.0


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
