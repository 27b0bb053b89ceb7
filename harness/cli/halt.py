"""`harness halt` and `harness resume`: the red button of this machine and of clusters."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import kubeconfig_option
from harness.errors import HarnessError, UsageError
from harness.experiment.system_model import Cluster
from harness.record.directory import RunDirectory
from harness.run import state

_system = click.option(
    "--system",
    "systems",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Also the namespace of this system on a cluster; repeatable.",
)


@click.command()
@click.option(
    "--reason", default="harness halt", show_default=True, help="Shown to those who are refused."
)
@_system
@kubeconfig_option
def halt(reason: str, systems: tuple[Path, ...]) -> None:
    """Stop every run of this machine, taking its faults back, and refuse new ones.

    Namespaces of clusters that a run is acting on are halted too, for every machine.
    """
    state.halt(reason)
    running = [entry for entry in state.entries() if entry.alive]
    click.echo(f"halted: {len(running)} running; new runs are refused until `harness resume`")
    for entry in running:
        click.echo(f"  {entry.run_id}  {entry.directory}")
    for cluster in _clusters(systems):
        _press(cluster, reason)


@click.command()
@_system
@kubeconfig_option
def resume(systems: tuple[Path, ...]) -> None:
    """Allow runs again after `harness halt`."""
    click.echo("runs are allowed again" if state.resume() else "nothing was halted")
    for cluster in _clusters(systems):
        _press(cluster, "")


def _clusters(systems: tuple[Path, ...]) -> tuple[Cluster, ...]:
    """Those of the given systems, and of every run that the index knows."""
    from harness.experiment.system_file import load_system

    named = [cluster for path in systems if (cluster := load_system(path).cluster)]
    for entry in state.entries():
        if entry.substrate == "kubernetes":
            try:
                place = RunDirectory(Path(entry.directory)).plan().place
            except (UsageError, OSError):
                continue
            named += [place.cluster] if place else []
    return tuple({(c.kubeconfig, c.context, c.namespace): c for c in named}.values())


def _press(cluster: Cluster, reason: str) -> None:
    from harness.substrates.kubernetes import button

    try:
        there = button.halt(cluster, reason)
    except HarnessError as error:
        click.echo(f"NOT {'halted' if reason else 'resumed'}: {error.message}", err=True)
        return
    said = "halted" if reason else "resumed"
    click.echo(f"{said}: namespace {cluster.namespace} ({there})")
