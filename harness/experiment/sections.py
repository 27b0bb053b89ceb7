"""Reads the smaller sections of an experiment: load, objectives, guard."""

from __future__ import annotations

import os
from pathlib import Path

from harness.experiment import codes, shapes
from harness.experiment.fields import Fields, wrong
from harness.experiment.model import (
    Abort,
    Arrivals,
    Guard,
    Intervention,
    Load,
    Objective,
    System,
)
from harness.experiment.objectives import MisreadError, read_abort, read_objective
from harness.experiment.problems import Place, Problems, did_you_mean, nearest
from harness.experiment.tree import Node
from harness.units import Duration, Rate, Varying

_GUARD = Guard()
_NO_RATE: Varying[Rate] = Varying(((0.0, 0.0),), True, "0/s")
_TIMEOUT = Duration(10)


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


# ---------------------------------------------------------------- load


def read_load(fields: Fields, directory: Path, system: System | None, *, sound: bool) -> Load:
    users = existing_file(fields, "users", directory)
    entry = fields.text("entry")
    _check_entry(fields, entry, system, sound=sound)
    timeout = fields.duration("timeout", _TIMEOUT)
    if timeout <= 0:
        place = _place(fields, "timeout")
        fields.problems.add(place, codes.QUANTITY, "a timeout of 0s would fail every request")
    arrivals = fields.below("arrivals", shapes.ARRIVALS)
    return Load(
        users=users or Path(),
        entry=entry,
        arrivals=_arrivals(arrivals) if arrivals else Arrivals("tasks", _NO_RATE),
        warmup=fields.duration("warmup"),
        timeout=timeout,
        workers=fields.integer("workers", 1, highest=64),
        headers=fields.pairs("headers"),
    )


def _check_entry(fields: Fields, entry: str, system: System | None, *, sound: bool) -> None:
    if system is None or not entry:
        return
    service = system.service(entry)
    if service is None:
        names = [service.name for service in system.services]
        hint = did_you_mean(entry, names, "services")
        said = f"the system has no service {entry!r}"
        fields.problems.add(_place(fields, "entry"), codes.TARGET, said, hint)
    elif sound and not (service.port or service.url or service.attach_port):
        said = f"{entry} has no port, so nobody can go there"
        fields.problems.add(_place(fields, "entry"), codes.TARGET, said, "add port in the system")


def _arrivals(fields: Fields) -> Arrivals:
    given = [key for key in ("tasks", "requests") if fields.has(key)]
    if len(given) != 1:
        if isinstance(fields.node.data, dict) and not any(fields.unknown()):
            said = "arrivals counts either tasks or requests"
            place = fields.node.place
            fields.problems.add(place, codes.INCOMPLETE, said, "for example {tasks: 200/s}")
        return Arrivals("tasks", _NO_RATE)
    rate = fields.curve(given[0], Rate)
    if rate is not None and rate.peak <= 0:
        said = "a rate of 0/s asks nothing of the system"
        fields.problems.add(_place(fields, given[0]), codes.QUANTITY, said)
    return Arrivals(given[0], rate or _NO_RATE, fields.flag("poisson"))


def _place(fields: Fields, key: str) -> Place:
    node = fields.node_of(key)
    return node.place if node else fields.node.place


# ---------------------------------------------------------------- objectives


def read_objectives(
    nodes: tuple[Node, ...], timeline: tuple[Intervention, ...], problems: Problems
) -> tuple[Objective, ...]:
    """The lines that can be read; windows must name interventions of the timeline."""
    found = []
    for node in nodes:
        line, severity = _line_of(node, problems)
        objective = _objective(line, severity, problems) if line else None
        if line and objective:
            _check_window(line, objective, timeline, problems)
            found.append(objective)
    return tuple(found)


def _line_of(node: Node, problems: Problems) -> tuple[Node | None, str]:
    if not isinstance(node.data, dict):
        return node, "fail"
    fields = Fields(node, shapes.OBJECTIVE, problems)
    return fields.node_of("objective"), fields.choice("severity", ("fail", "warn"))


def _objective(node: Node, severity: str, problems: Problems) -> Objective | None:
    if not isinstance(node.data, str):
        wrong(node, "an objective is one line of text", problems)
        return None
    try:
        return read_objective(node.data, severity=severity, line=node.place.line)
    except MisreadError as error:
        problems.add(node.at(error.offset), codes.OBJECTIVE, error.message, error.hint)
        return None


def _check_window(
    node: Node, objective: Objective, timeline: tuple[Intervention, ...], problems: Problems
) -> None:
    ids = [intervention.id for intervention in timeline]
    wanted = objective.window_id
    if wanted and wanted not in ids:
        place = node.at(node.raw.find(f" {wanted}", node.raw.find(objective.window)) + 1)
        said = f"the timeline has no {wanted!r}"
        problems.add(place, codes.INTERVENTION, said, did_you_mean(wanted, ids, "ids"))
    elif objective.window in ("during", "after", "while") and not ids:
        place = node.at(max(node.raw.find(objective.window), 0))
        said = f"`{objective.window}` of nothing: the timeline is empty"
        problems.add(place, codes.INTERVENTION, said)


# ---------------------------------------------------------------- guard


def read_guard(fields: Fields) -> Guard:
    radius = fields.below("blast_radius", shapes.BLAST_RADIUS)
    maximum = fields.duration("max_duration", _GUARD.max_duration)
    if maximum <= 0:
        place = _place(fields, "max_duration")
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
