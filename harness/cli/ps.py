"""`harness ps`: what is running on this machine, and which faults are on."""

from __future__ import annotations

import time
from pathlib import Path

import click

from harness.errors import UsageError
from harness.record.directory import RunDirectory
from harness.run import state
from harness.run.recover import Open, still_open


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Finished runs of the index too.")
def ps(everything: bool) -> None:
    """List runs, and the faults that are on with the time they have left."""
    if why := state.halted():
        click.echo(f"halted: {why} (harness resume)")
    shown = [entry for entry in state.entries() if everything or entry.alive or _open(entry)]
    if not shown:
        click.echo("nothing is running, nothing was left behind")
    for entry in shown:
        condition = "running" if entry.alive else "ended"
        click.echo(f"{entry.run_id}  {condition}  pid {entry.pid}  {entry.directory}")
        for fault in _open(entry):
            click.echo(f"    {fault.effect}  {_left(fault, entry)}")


def _open(entry: state.Entry) -> tuple[Open, ...]:
    try:
        return still_open(RunDirectory(Path(entry.directory)))
    except UsageError:  # of another version: `harness recover` says what that means
        return ()


def _left(fault: Open, entry: state.Entry) -> str:
    if not entry.alive:
        return f"not taken back: harness recover {entry.run_id}"
    if not fault.ends_ns:
        return "on until the run ends"
    return f"{max(0.0, (fault.ends_ns - time.monotonic_ns()) / 1e9):.0f} s left"
