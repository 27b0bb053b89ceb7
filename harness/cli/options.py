"""Options that commands on experiments share, and reading the experiment that they name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import UsageError
from harness.experiment.model import Experiment
from harness.experiment.source import load_experiment

F = TypeVar("F", bound=Callable[..., Any])


def experiment_options(command: F) -> F:
    """`--set NAME=VALUE` (as `assignments`) and `--system FILE` (as `system`)."""
    sets = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        help="Change a variable of the file's `vars`; repeatable.",
    )
    system = click.option(
        "--system",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Another System file than the one that the experiment names.",
    )
    return sets(system(kubeconfig_option(command)))


def kubeconfig_option(command: F) -> F:
    """`--kubeconfig FILE`, for systems on a cluster; it goes into the environment of this process,
    where everything that speaks to clusters looks for it."""
    return click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        expose_value=False,
        callback=_remember_kubeconfig,
        help="For a system on Kubernetes.  [default: $HARNESS_KUBECONFIG, $KUBECONFIG]",
    )(command)


def _remember_kubeconfig(_: click.Context, __: click.Parameter, value: Path | None) -> None:
    if value:
        os.environ["HARNESS_KUBECONFIG"] = str(value.absolute())


def load(path: Path, assignments: tuple[str, ...], system: Path | None) -> Experiment:
    """The experiment of a file with the registered faults. Raises `InvalidFile`, `UsageError`."""
    from harness.faults import registry

    variables = assigned(assignments)
    return load_experiment(path, variables, system, registry.find, registry.names)


def assigned(assignments: tuple[str, ...]) -> dict[str, str]:
    """`--set` as a mapping; the last of the same name holds."""
    found = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {text}: write NAME=VALUE", hint="for example --set rate=50/s")
        found[name.strip()] = value.strip()
    return found
