"""`harness run`: carry out experiments, say what they came to."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from harness.cli.options import experiment_options, load
from harness.cli.output import output_option, write_outputs
from harness.errors import Exit, worst
from harness.record.directory import RunDirectory


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@experiment_options
@output_option
@click.option(
    "--seed", type=int, help="Seed of every random choice; printed first.  [default: random]"
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where run directories go.",
)
@click.option(
    "-l",
    "--selector",
    default="",
    help="Of a directory: only experiments with these labels (tier=pr,team!=x).",
)
@click.option(
    "--inconclusive-ok", is_flag=True, help="Exit 0, with a warning, when nothing could be decided."
)
@click.option(
    "--retry-invalid",
    type=click.IntRange(0, 10),
    default=0,
    help="Run an invalid run again, so many times.",
)
@click.option(
    "--until-decided",
    is_flag=True,
    help="End a phase before its time once all of its objectives are decided, by sequential tests "
    "that are wrong in at most 5 % to either side.",
)
def run(
    file: Path, assignments: tuple[str, ...], system: Path | None, outputs: tuple[str, ...],
    seed: int | None, reports: Path, selector: str, inconclusive_ok: bool, retry_invalid: int,
    until_decided: bool,
) -> None:  # fmt: skip
    """Run one experiment, or every experiment of a directory.

    \b
    harness run experiments/checkout-survives-slow-database.yaml
    harness run experiments/ -l tier=pr --output junit=junit.xml
    """  # noqa: D301  click's mark is a real backspace
    files = _files(file, selector)
    statuses = []
    for path in files:
        status = _run_until_valid(
            path, assignments, system, outputs, seed, reports, retry_invalid,
            until_decided=until_decided,
        )  # fmt: skip
        statuses.append(_softened(status, inconclusive_ok))
    if len(files) > 1:
        _print_together(files, statuses)
    sys.exit(worst(*statuses))


def _softened(status: Exit, inconclusive_ok: bool) -> Exit:
    if status is Exit.INCONCLUSIVE and inconclusive_ok:
        click.echo("warning: inconclusive, accepted by --inconclusive-ok", err=True)
        return Exit.PASS
    return status


def _files(file: Path, selector: str) -> list[Path]:
    if not file.is_dir():
        return [file]
    from harness.cli.listing import experiments_in

    found = experiments_in(file, selector)
    if not found:
        raise click.UsageError(
            f"{file} holds no experiment" + (f" with {selector}" if selector else "")
        )
    return found


def _run_until_valid(
    path: Path, assignments: tuple[str, ...], system: Path | None, outputs: tuple[str, ...],
    seed: int | None, reports: Path, retries: int, *, until_decided: bool,
) -> Exit:  # fmt: skip
    for _ in range(retries + 1):
        status = run_one(
            path, assignments, system, outputs, seed, reports, until_decided=until_decided
        )
        if status is not Exit.INVALID:
            break
    return status


def run_one(
    path: Path, assignments: tuple[str, ...], system: Path | None, outputs: tuple[str, ...],
    seed: int | None, reports: Path, *, until_decided: bool = False,
) -> Exit:  # fmt: skip
    """One experiment from file to report; its exit status."""
    from harness.report.progress import Progress
    from harness.run.calibrate import doubted
    from harness.run.conduct import conduct, run_id
    from harness.run.plan import make_plan
    from harness.substrates.registry import substrate_for

    experiment = load(path, assignments, system)
    substrate = substrate_for(experiment.system)
    chosen = secrets.randbelow(2**31) if seed is None else seed
    id = run_id(experiment.metadata.name)
    plan = doubted(make_plan(experiment, substrate, chosen, id, until_decided=until_decided))
    click.echo(f"{experiment.metadata.name}: run {plan.run_id}, seed {plan.seed}", err=True)
    if plan.place:
        click.echo(f"acts on {plan.place}", err=True)
    with Progress.on(sys.stderr, plan) as progress:
        directory = conduct(experiment, plan, substrate, reports.absolute(), progress)
    _print_hints(directory)
    return report_on(directory, outputs)


def _print_hints(directory: RunDirectory) -> None:
    """What helps with a run that never began: the last lines of a service's log."""
    for step in directory.steps():
        if hint := step.data.get("hint"):
            click.echo(f"{step.data.get('reason')}\n{hint}", err=True)


def report_on(directory: RunDirectory, outputs: tuple[str, ...]) -> Exit:
    """Judge, write the reports that every run leaves and those that were asked for."""
    from harness.report.record import record_of

    record = record_of(directory)
    write_outputs(record, directory.path, outputs)
    return Exit(record.exit_status)


def _print_together(files: list[Path], statuses: list[Exit]) -> None:
    click.echo("")
    for path, status in zip(files, statuses, strict=True):
        click.echo(f"{status.name.lower().replace('_', ' '):14} {path}")
    click.echo(f"together: {worst(*statuses).name.lower().replace('_', ' ')}")
