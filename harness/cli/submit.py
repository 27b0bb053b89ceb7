"""`harness submit`: a run that lives in the cluster, whatever becomes of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from harness.cli.options import experiment_options, load
from harness.errors import Exit, UsageError
from harness.experiment.model import Experiment

if TYPE_CHECKING:
    from harness.substrates.kubernetes.connection import Connection
    from harness.substrates.kubernetes.submitted import Submission


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@experiment_options
@click.option("--image", default="", help="The image of harness.  [default: reliability-harness]")
@click.option("--seed", type=int, help="Seed of every random choice.")
@click.option("--detach", is_flag=True, help="Do not wait: print the name, to fetch it later.")
@click.option("--keep", default=3600, show_default=True, help="Seconds to wait for the fetching.")
@click.option("--fetch", "name", metavar="NAME", help="Fetch what an earlier submit began.")
@click.option("--context", default="", help="With --fetch: of the kubeconfig.")
@click.option(
    "--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True,
    help="Where run directories go.",
)  # fmt: skip
def submit(
    file: Path | None, assignments: tuple[str, ...], system: Path | None, image: str,
    seed: int | None, detach: bool, keep: int, name: str | None, context: str, reports: Path,
) -> None:  # fmt: skip
    """Run FILE as a Job in the cluster of its system; stream what it says, fetch its directory.

    \b
    harness submit experiment.yaml --system k8s-system.yaml
    harness submit experiment.yaml --detach          # prints a name
    harness submit --fetch run-3f2a91c4              # from anywhere, later
    """  # noqa: D301  click's mark is a real backspace
    from harness.substrates.kubernetes.agents import refusal
    from harness.substrates.kubernetes.api import Api, ApiError
    from harness.substrates.kubernetes.connection import connect
    from harness.substrates.kubernetes.submitted import Submission, submit

    if bool(file) == bool(name):
        raise click.UsageError("say which: a file to submit, or --fetch NAME")
    if name:
        made = Submission(Api(connect(context).configuration), name)
    else:
        assert file is not None
        experiment = load(file, assignments, system)
        there, files, arguments = _packing(experiment, assignments, seed)
        made = submit(Api(there.configuration), files, arguments, image, keep)
        click.echo(f"submitted as {made.name} ({there}); harness submit --fetch {made.name}",
                   err=True)  # fmt: skip
    if detach:
        click.echo(made.name)
        return
    try:
        for line in made.progress():
            click.echo(line, err=True)
        _finish(made, reports)
    except ApiError as error:
        found = refusal(error, f"{made.name} cannot be followed, and goes on by itself")
        found.hint = f"harness submit --fetch {made.name}"
        raise found from None


def _packing(
    experiment: Experiment, assignments: tuple[str, ...], seed: int | None
) -> tuple[Connection, dict[str, bytes], tuple[str, ...]]:
    """Which cluster, the files by their relative path, and the words after `harness run`."""
    from harness.substrates.kubernetes.connection import connect

    cluster = experiment.system.cluster
    if cluster is None:
        raise UsageError(
            f"{experiment.system.path} is not on a cluster", hint="--system OTHER.yaml"
        )
    paths = sorted({path.resolve() for path in _paths(experiment)})
    root = _common(paths)
    files = {str(path.relative_to(root)): path.read_bytes() for path in paths}
    words = [str(experiment.path.resolve().relative_to(root))]
    words += ["--system", str(experiment.system.path.resolve().relative_to(root))]
    words += [word for text in assignments for word in ("--set", text)]
    words += ["--seed", str(seed)] if seed is not None else []
    return connect(cluster.context, cluster.kubeconfig), files, tuple(words)


def _paths(experiment: Experiment) -> Iterator[Path]:
    """What a run reads: the files themselves, and Python beside the users."""
    yield from (experiment.path, experiment.system.path, *experiment.sources)
    if experiment.load and experiment.load.users:
        yield experiment.load.users
        yield from experiment.load.users.parent.glob("*.py")


def _common(paths: list[Path]) -> Path:
    return Path(os.path.commonpath([str(path.parent) for path in paths]))


def _finish(made: Submission, reports: Path) -> NoReturn:
    """Ends with the run's own exit status."""
    from harness.cli.run import report_on
    from harness.record.directory import RunDirectory

    status = made.status()
    reports.mkdir(parents=True, exist_ok=True)
    for directory in made.fetch(reports.absolute()):
        if (directory / "plan.json").exists():
            sys.exit(report_on(RunDirectory(directory), ()))
    sys.exit(Exit(status) if status is not None else Exit.INVALID)
