"""Reads an Experiment file, with the System file that it names, into frozen values.

All problems of both files are reported at once (`InvalidFile`). Faults come in by callables, since
they live in a room above this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from harness.experiment import codes, shapes
from harness.experiment.documents import open_tree, read_metadata, top
from harness.experiment.fields import Fields
from harness.experiment.load_section import read_load
from harness.experiment.model import Experiment, Guard
from harness.experiment.objective_list import Surroundings, read_objectives
from harness.experiment.prober import probed
from harness.experiment.problems import Problems
from harness.experiment.sections import existing_file, read_guard
from harness.experiment.system_file import load_system, read_system
from harness.experiment.system_model import Metadata, System
from harness.experiment.timeline import Context, FindFault, read_timeline
from harness.experiment.tree import Node
from harness.experiment.variables import Substitution, Variables

__all__ = ["load_experiment", "load_system"]


def load_experiment(
    path: Path,
    set_vars: Mapping[str, str],
    system: Path | None,
    find_fault: FindFault,
    fault_names: Callable[[], Iterable[str]],
) -> Experiment:
    """The experiment of a file; `system` takes the place of the one that it names.

    Raises `InvalidFile` with all problems, `UsageError` when a file cannot be read at all.
    """
    problems = Problems()
    tree = open_tree(path, problems)
    if tree is None or _is_other_kind(tree, problems):
        problems.fail()
    substitution = Substitution(_declared(tree, problems), set_vars, os.environ, problems)
    root = top(substitution.apply(tree), shapes.EXPERIMENT, problems)
    spec = root.below("spec", shapes.EXPERIMENT_SPEC) if root else None
    if root is None or spec is None:
        problems.fail()
    known = _system(spec, path, system, problems)
    sound = known is not None and not problems.touches(str(known.path))
    entry = _entry(spec, known)
    context = Context(known, sound, entry, path.parent, find_fault, fault_names, problems)
    experiment = _experiment(path, spec, read_metadata(root), substitution.variables, context)
    _check_enough(spec, experiment, problems)
    problems.finish()
    return experiment


def _is_other_kind(tree: Node, problems: Problems) -> bool:
    """Reported alone: every `$(port)` of a System would be a problem of an Experiment."""
    kind = tree.data.get("kind") if isinstance(tree.data, dict) else None
    other = kind is not None and kind.value.raw == "System"
    return other and top(tree, shapes.EXPERIMENT, problems) is None


def _declared(tree: Node, problems: Problems) -> dict[str, Node]:
    """The variables that `spec.vars` declares, unreplaced."""
    spec = tree.data.get("spec") if isinstance(tree.data, dict) else None
    declared = spec.value.data.get("vars") if spec and isinstance(spec.value.data, dict) else None
    entries = declared.value.data if declared else {}
    if not isinstance(entries, dict):
        assert declared is not None
        problems.add(declared.value.place, codes.WRONG_TYPE, "vars is a mapping of names to values")
        return {}
    for name, entry in entries.items():
        if not entry.value.is_scalar or entry.value.data is None:
            said = f"a variable is one value; {name} is {entry.value.what}"
            problems.add(entry.value.place, codes.WRONG_TYPE, said)
    return {name: e.value for name, e in entries.items() if e.value.is_scalar}


def _system(spec: Fields, path: Path, instead: Path | None, problems: Problems) -> System | None:
    """The system, or None when its file is missing (and reported)."""
    found = instead or existing_file(spec, "system", path.parent)
    system = read_system(found, problems) if found else None
    return system if system and system.services else None


def _experiment(
    path: Path, spec: Fields, metadata: Metadata, variables: Variables, context: Context
) -> Experiment:
    problems, system = context.problems, context.system
    load = spec.below("load", shapes.LOAD)
    guard = spec.below("guard", shapes.GUARD)
    timeline = read_timeline(spec.items("timeline"), context)
    around = Surroundings(path.parent, timeline, system)
    return Experiment(
        metadata=metadata,
        hypothesis=spec.text("hypothesis"),
        system=system or System(Metadata(""), (), Path(), Path()),
        load=read_load(load, path.parent, system, sound=context.sound) if load else None,
        timeline=timeline,
        objectives=read_objectives(spec.items("objectives"), around, problems),
        guard=read_guard(guard) if guard else Guard(),
        path=path,
        text=problems.text_of(str(path)),
        variables=variables.public,
        duration=spec.optional_duration("duration"),
        settle=spec.optional_duration("settle"),
        sources=(path, *((system.path,) if system else ())),
        secrets=variables.secrets,
    )


def _entry(spec: Fields, system: System | None) -> str:
    """The service that the load goes to, or else the prober: the client calls it."""
    load = spec.node_of("load")
    if load is None and system is not None:
        service = probed(system)
        return service.name if service else ""
    entries = load.data if load and isinstance(load.data, dict) else {}
    return entries["entry"].value.raw if "entry" in entries else ""


def _check_enough(spec: Fields, experiment: Experiment, problems: Problems) -> None:
    place = spec.node.place
    if not spec.items("timeline") and not (spec.meant("duration") or spec.meant("timeline")):
        said = "without a timeline, how long the run takes is not said"
        problems.add(place, codes.INCOMPLETE, said, "add for example duration: 20s")
    judges = experiment.objectives or experiment.guard.aborts
    if judges and not spec.meant("load") and not probed(experiment.system):
        said = "objectives and abort conditions judge requests, and there is no load"
        hint = "add load, or to a service a path that can be asked for, like ready: /health"
        problems.add(place, codes.INCOMPLETE, said, hint)
    if not (experiment.load and experiment.load.users):
        _check_journeys(spec, experiment, problems)


def _check_journeys(spec: Fields, experiment: Experiment, problems: Problems) -> None:
    """Users have tasks; a declared request is all there is to it."""
    lines = {objective.line for objective in experiment.objectives if objective.journeys}
    for node in spec.items("objectives"):
        if node.place.line in lines:
            said = "journeys are tasks of users, and this load has none"
            problems.add(node.place, codes.INCOMPLETE, said, "leave (journeys) out")
