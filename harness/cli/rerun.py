"""`harness rerun`: the same experiment again, with the same seed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.output import output_option
from harness.cli.run import run_one
from harness.errors import UsageError
from harness.record.directory import RunDirectory
from harness.substrates.registry import SWITCH, WORLDS, world_substrate


@click.command()
@click.argument("run", type=click.Path(path_type=Path), default=Path("reports/last"))
@output_option
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where run directories go.",
)
def rerun(run: Path, outputs: tuple[str, ...], reports: Path) -> None:  # fmt: skip
    """Repeat RUN (a run directory, or the id of one under reports): same file, variables, seed.

    The file is read again where it was; a note says when it has changed since.
    """
    path = run if (run / "plan.json").exists() else reports / run
    if not (path / "plan.json").exists():
        raise UsageError(f"{run} is no run directory", hint="harness ps --all lists runs")
    plan = RunDirectory(path).plan()
    experiment = Path(plan.experiment)
    if experiment.read_text() != (path / "experiment.yaml").read_text():
        click.echo(f"note: {experiment} has changed since that run", err=True)
    if plan.substrate in WORLDS and (now := world_substrate().name) != plan.substrate:
        click.echo(f"note: that run was on {plan.substrate}, this is on {now} ({SWITCH})", err=True)
    assignments = tuple(f"{name}={value}" for name, value in plan.variables)
    status = run_one(
        experiment, assignments, Path(plan.system), outputs, plan.seed, reports,
        until_decided=plan.until_decided,
    )  # fmt: skip
    sys.exit(status)
