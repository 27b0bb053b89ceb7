"""`harness recover`: take back what a dead run left, from its journal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.report import find_run
from harness.errors import Exit, Refused
from harness.record.directory import RunDirectory
from harness.run import state
from harness.run.recover import Recovery, recover_run


@click.command()
@click.argument("run", required=False)
@click.option("--all", "everything", is_flag=True, help="Every run of this machine's index.")
@click.option("--expired", is_flag=True, help="Only runs whose harness is no longer there.")
def recover(run: str | None, everything: bool, expired: bool) -> None:
    """Take back whatever RUN (an id, or its directory) left behind.

    Safe to repeat. Exits 0 when nothing is left, 5 when something could not be taken back, 2 when
    RUN is still going on.
    """
    if bool(run) + everything + expired != 1:
        raise click.UsageError("say which: a run, --all or --expired")
    entries = _chosen(run) if run else state.entries()
    done = [recover_run(RunDirectory(Path(e)), alive) for e, alive in _places(entries, expired)]
    if run and done and done[0].running:
        raise Refused(f"{done[0].run_id} {done[0].says}", hint="what it holds is its to take back")
    if not done:
        click.echo("no runs are known here: nothing to recover")
    for recovery in done:
        _print(recovery)
    sys.exit(Exit.LEFT_BEHIND if any(recovery.left for recovery in done) else Exit.PASS)


def _places(entries: tuple[state.Entry, ...], expired: bool) -> list[tuple[str, bool]]:
    return [(e.directory, e.alive) for e in entries if not (expired and e.alive)]


def _chosen(run: str) -> tuple[state.Entry, ...]:
    known = [
        e for e in state.entries() if run in (e.run_id, e.directory, str(Path(e.directory).name))
    ]
    if known:
        return tuple(known)
    found = find_run(run, Path("reports")).path
    known = [e for e in state.entries() if e.directory == str(found)]
    return tuple(known) or (state.Entry(found.name, "", str(found), 0, 0.0, ""),)


def _print(recovery: Recovery) -> None:
    click.echo(f"{recovery.run_id}: {recovery.says}")
    for line in recovery.taken_back:
        click.echo(f"    taken back: {line}")
    for line in recovery.left:
        click.echo(f"    NOT taken back: {line}")
