"""`harness report`: render an old run again, from its directory alone."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.output import output_option, write_outputs
from harness.errors import UsageError
from harness.record.directory import RunDirectory


@click.command()
@click.argument("run", default="last")
@output_option
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where run directories are.",
)
def report(run: str, outputs: tuple[str, ...], reports: Path) -> None:
    """Report on RUN again: a run directory, the id of a run, or `last`.

    \b
    harness report
    harness report last --output html=slow-database.html
    harness report reports/20261124-093012-checkout-3f2a91c4 --output json | jq .verdict

    Judges the recording anew. Exits 0 whatever the verdict is: the run had its exit status.
    """  # noqa: D301 (click's mark for lines that stay as they are)
    from harness.report.record import record_of

    directory = find_run(run, reports)
    write_outputs(record_of(directory), directory.path, outputs)


def find_run(run: str, reports: Path) -> RunDirectory:
    """The directory that `run` names; raises `UsageError`."""
    for path in (Path(run), reports / run):
        if _is_run(path):
            return RunDirectory(path.resolve())
    known = sorted(
        path.parent.name for path in reports.glob("*/plan.json") if not path.parent.is_symlink()
    )[-3:]
    there = f"the latest in {reports}: {', '.join(known)}" if known else f"{reports} holds no run"
    raise UsageError(f"there is no run {run!r}", hint=there)


def _is_run(path: Path) -> bool:
    try:
        return (path / "plan.json").is_file()
    except PermissionError as error:
        raise UsageError(f"{path} is somebody else's: {error.strerror}") from None
