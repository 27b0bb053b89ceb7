"""`harness halt` and `harness resume`: the red button of this machine."""

from __future__ import annotations

import click

from harness.run import state


@click.command()
@click.option(
    "--reason", default="harness halt", show_default=True, help="Shown to those who are refused."
)
def halt(reason: str) -> None:
    """Stop every run of this machine, taking its faults back, and refuse new ones."""
    state.halt(reason)
    running = [entry for entry in state.entries() if entry.alive]
    click.echo(f"halted: {len(running)} running; new runs are refused until `harness resume`")
    for entry in running:
        click.echo(f"  {entry.run_id}  {entry.directory}")


@click.command()
def resume() -> None:
    """Allow runs again after `harness halt`."""
    click.echo("runs are allowed again" if state.resume() else "nothing was halted")
