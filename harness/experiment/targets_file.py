"""ReliabilityTargets: sets of objectives with a name, to be included in experiments.

A set comes with the package (`enterprise`), or is a file that an experiment names by its path. An
OpenSLO v1 file may stand in its place. The lines of a set are those of any experiment, so they
speak of windows by their kind alone and never of an intervention by its id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness.experiment import codes, openslo, target_shapes
from harness.experiment.documents import open_tree, read_metadata, top
from harness.experiment.fields import Fields, mapping
from harness.experiment.model import Objective
from harness.experiment.objectives import MisreadError, read_objective
from harness.experiment.problems import Problems, did_you_mean
from harness.experiment.sections import existing_file
from harness.experiment.tree import Node

#: The sets that come with the package.
SHIPPED = Path(__file__).parents[1] / "targets"

Targets = dict[str, Objective]


def included(inclusion: Fields, directory: Path) -> tuple[Objective, ...]:
    """The objectives that `include: {targets: enterprise, only: [latency]}` names."""
    fields = inclusion.below("include", target_shapes.INCLUDE)
    path = _file(fields, directory) if fields else None
    if fields is None or path is None:
        return ()
    problems = fields.problems
    known = read_targets(path, problems)
    chosen = _only(fields, known) if fields.has("only") else known.values()
    return tuple(replace(objective, line=fields.node.place.line) for objective in chosen)


def _file(fields: Fields, directory: Path) -> Path | None:
    named = fields.text("targets")
    node = fields.node_of("targets")
    if node is None or not named:
        return None
    if "/" in named or named.endswith((".yaml", ".yml")):
        return existing_file(fields, "targets", directory)
    path = SHIPPED / f"{named}.yaml"
    if path.is_file():
        return path
    sets = [path.stem for path in SHIPPED.glob("*.yaml")]
    hint = did_you_mean(named, sets, "sets") + "; a file of your own is named by its path"
    fields.problems.add(node.place, codes.TARGETS, f"there is no set of targets {named!r}", hint)
    return None


def _only(fields: Fields, known: Targets) -> Iterable[Objective]:
    nodes = fields.items("only")
    for node in nodes:
        if known and node.raw not in known:
            hint = did_you_mean(node.raw, known, "targets")
            fields.problems.add(node.place, codes.TARGETS, f"no target is {node.raw!r}", hint)
    return (known[node.raw] for node in nodes if node.raw in known)


def load_targets(path: Path) -> Targets:
    """The objectives of a file by name; raises `InvalidFile` with all problems."""
    problems = Problems()
    found = read_targets(path, problems)
    problems.finish()
    return found


def read_targets(path: Path, problems: Problems) -> Targets:
    """The objectives of a file by name; empty where it cannot be read (and that is reported)."""
    tree = open_tree(path, problems)
    if tree is None:
        return {}
    if openslo.is_one(tree):
        return openslo.read_slo(tree, problems)
    root = top(tree, target_shapes.TARGETS, problems)
    spec = root.below("spec", target_shapes.TARGETS_SPEC) if root else None
    node = spec.node_of("targets") if spec else None
    if root is None or node is None:
        return {}
    title = read_metadata(root).name
    entries = mapping(node, "targets", problems)
    read = {name: _target(entry.value, problems) for name, entry in entries.items()}
    return {
        name: replace(line, text=f"{line.text} ({title} {name})")
        for name, line in read.items()
        if line
    }


def _target(node: Node, problems: Problems) -> Objective | None:
    fields = Fields(node, target_shapes.TARGET, problems)
    line = fields.node_of("objective")
    text = fields.text("objective")
    if line is None or not text:
        return None
    try:
        objective = read_objective(text, severity=fields.choice("severity", ("fail", "warn")))
    except MisreadError as error:
        problems.add(line.at(error.offset), codes.OBJECTIVE, error.message, error.hint)
        return None
    if named := objective.window_id or objective.than_id:
        said = f"a set of targets knows no intervention {named!r}"
        hint = f"write {objective.window or objective.than} alone, for all faults"
        problems.add(line.at(max(text.find(named), 0)), codes.TARGETS, said, hint)
    return objective
