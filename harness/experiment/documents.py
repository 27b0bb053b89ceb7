"""Opens a file of ours and checks that it says what it is."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import UsageError
from harness.experiment import codes, shapes
from harness.experiment.fields import Fields
from harness.experiment.problems import Problems, did_you_mean
from harness.experiment.shapes import Shape
from harness.experiment.system_model import Metadata
from harness.experiment.tree import Node, read_tree

_MORE_THAN_ALLOWED = 300 * 1024


def open_tree(path: Path, problems: Problems) -> Node | None:
    """The tree of a file, or None when it cannot be read as YAML (and reported)."""
    try:
        with path.open("rb") as file:
            content = file.read(_MORE_THAN_ALLOWED)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise UsageError(
            f"cannot read {path}: {why}", hint="harness list experiments DIR"
        ) from None
    return read_tree(str(path), content, problems)


def open_document(path: Path, shape: Shape, problems: Problems) -> Fields | None:
    """The top of a file of one kind, or None when it is not such a file (and reported)."""
    tree = open_tree(path, problems)
    return None if tree is None else top(tree, shape, problems)


def top(tree: Node, shape: Shape, problems: Problems) -> Fields | None:
    """The top of a document, if it says that it is of that kind."""
    wanted = shape.name.rpartition(" ")[2]
    if not isinstance(tree.data, dict):
        said = f"{shape.name} is a mapping; here is {tree.what}"
        hint = f"begin with apiVersion: harness/v1, kind: {wanted}"
        problems.add(tree.place, codes.IDENTITY, said, hint)
        return None
    kind = tree.data.get("kind")
    if kind is not None and kind.value.raw != wanted:
        _report_kind(kind.value, wanted, problems)
        return None
    version = tree.data.get("apiVersion")
    if version is not None and version.value.raw != "harness/v1":
        said = f"apiVersion is harness/v1, not {version.value.raw or version.value.what}"
        problems.add(version.value.place, codes.IDENTITY, said)
    return Fields(tree, shape, problems)


def _report_kind(kind: Node, wanted: str, problems: Problems) -> None:
    found = kind.raw or kind.what
    if found in shapes.LATER_KINDS:
        problems.add(kind.place, codes.LATER, f"kind {found} comes with a later version")
        return
    kinds = ("Experiment", "System", "ReliabilityTargets")
    hint = did_you_mean(found, kinds, "kinds")
    if found in kinds:
        hint = "an Experiment is run; it names a System, and may include ReliabilityTargets"
    said = f"a file of kind {wanted} is wanted here, not {found}"
    problems.add(kind.place, codes.IDENTITY, said, hint)


def read_metadata(root: Fields) -> Metadata:
    fields = root.below("metadata", shapes.METADATA)
    if fields is None:
        return Metadata("")
    return Metadata(fields.name("name"), fields.text("owner"), fields.pairs("labels"))
