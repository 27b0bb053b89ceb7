"""`harness validate`: is this file right? Starts nothing, imports only the faults it names."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path

import click

from harness.cli.options import experiment_options, load
from harness.errors import Exit, InvalidFile
from harness.experiment.source import load_system
from harness.experiment.targets_file import load_targets

_SAYS = re.compile(
    r"^(?:kind|apiVersion):\s*['\"]?(System|ReliabilityTargets|openslo)\b", re.MULTILINE
)


@click.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@experiment_options
def validate(files: tuple[Path, ...], assignments: tuple[str, ...], system: Path | None) -> None:
    """Check files of every kind, OpenSLO v1 too; print all problems at once.

    \b
    harness validate experiments/*.yaml
    harness validate scenarios/checkout/system.yaml

    Exits 0 when all files are right, 2 otherwise.
    """  # noqa: D301  click's mark is a real backspace
    wrong = 0
    for path in files:
        try:
            click.echo(f"{path}: {_summary(path, assignments, system)}")
        except InvalidFile as error:
            click.echo(error.message, err=True)
            wrong += 1
    if wrong and len(files) > 1:
        click.echo(f"{wrong} of {len(files)} files are wrong", err=True)
    sys.exit(Exit.USAGE if wrong else Exit.PASS)


def _summary(path: Path, assignments: tuple[str, ...], system: Path | None) -> str:
    kind = _kind(path)
    if kind == "System":
        found = load_system(path)
        return f"right: system {found.metadata.name}, {_count(found.services, 'service')}"
    if kind:
        return f"right: {_count(load_targets(path), 'objective')} to be included"
    experiment = load(path, assignments, system)
    parts = (_count(experiment.timeline, "fault"), _count(experiment.objectives, "objective"))
    return f"right: experiment {experiment.metadata.name}, {', '.join(parts)}"


def _kind(path: Path) -> str:
    """What a file says that it is; empty for an experiment, and for what cannot be read: reading it
    as one says what is wrong.
    """
    try:
        found = _SAYS.search(path.read_bytes()[:8192].decode("utf-8", "replace"))
    except OSError:
        return ""
    return found[1] if found else ""


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")
