"""Reads the objectives of an experiment: lines, and what they include from other files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.experiment import codes, shapes, target_shapes
from harness.experiment.fields import Fields, wrong
from harness.experiment.model import Intervention, Objective
from harness.experiment.objectives import MisreadError, read_objective
from harness.experiment.problems import Problems, did_you_mean
from harness.experiment.system_model import System
from harness.experiment.tree import Node


@dataclass(frozen=True)
class Surroundings:
    """What the objectives of a file may speak of: None, where nobody knows it."""

    directory: Path
    timeline: tuple[Intervention, ...]
    system: System | None


def read_objectives(
    nodes: tuple[Node, ...], around: Surroundings, problems: Problems
) -> tuple[Objective, ...]:
    """The objectives that can be read, each of which names what exists."""
    found: list[Objective] = []
    for node in nodes:
        if isinstance(node.data, dict) and "include" in node.data:
            from harness.experiment.targets_file import included

            fields = Fields(node, target_shapes.INCLUSION, problems)
            more = included(fields, around.directory)
            _check_all(node, more, around, problems)
            found += more
            continue
        line, severity = _line_of(node, problems)
        objective = objective_at(line, severity, problems) if line else None
        if line and objective:
            _check(line, objective, around, problems)
            found.append(objective)
    return tuple(found)


def _line_of(node: Node, problems: Problems) -> tuple[Node | None, str]:
    if not isinstance(node.data, dict):
        return node, "fail"
    fields = Fields(node, shapes.OBJECTIVE, problems)
    return fields.node_of("objective"), fields.choice("severity", ("fail", "warn"))


def objective_at(node: Node, severity: str, problems: Problems) -> Objective | None:
    """The objective of a line, or None (and reported)."""
    if not isinstance(node.data, str):
        wrong(node, "an objective is one line of text", problems)
        return None
    try:
        return read_objective(node.data, severity=severity, line=node.place.line)
    except MisreadError as error:
        problems.add(node.at(error.offset), codes.OBJECTIVE, error.message, error.hint)
        return None


def _check(node: Node, objective: Objective, around: Surroundings, problems: Problems) -> None:
    for window, wanted in (
        (objective.window, objective.window_id), (objective.than, objective.than_id),
    ):  # fmt: skip
        _check_window(node, window, wanted, around.timeline, problems)
    if objective.indicator == "memory" and around.system:
        names = [service.name for service in around.system.services]
        if objective.name not in names:
            place = node.at(max(node.raw.find(objective.name), 0))
            hint = did_you_mean(objective.name, names, "services")
            problems.add(place, codes.TARGET, f"the system has no service {objective.name!r}", hint)


def _check_window(
    node: Node, window: str, wanted: str, timeline: tuple[Intervention, ...], problems: Problems
) -> None:
    ids = [intervention.id for intervention in timeline]
    if wanted and wanted not in ids:
        place = node.at(node.raw.find(f" {wanted}", node.raw.find(window)) + 1)
        said = f"the timeline has no {wanted!r}"
        problems.add(place, codes.INTERVENTION, said, did_you_mean(wanted, ids, "ids"))
    elif window in ("during", "after", "while") and not ids:
        place = node.at(max(node.raw.find(window), 0))
        said = f"`{window}` of nothing: the timeline is empty"
        problems.add(place, codes.INTERVENTION, said)


def _check_all(
    node: Node, objectives: tuple[Objective, ...], around: Surroundings, problems: Problems
) -> None:
    """What was included speaks of all faults, so that there must be some."""
    for objective in objectives:
        _check(node, objective, around, problems)
