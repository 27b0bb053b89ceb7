"""`harness recover`: take back what dead runs left, from their journals or a cluster's Leases."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.options import kubeconfig_option
from harness.cli.report import find_run
from harness.errors import Exit, Refused
from harness.experiment.system_model import Cluster
from harness.record.directory import RunDirectory
from harness.run import state
from harness.run.recover import Recovery, recover_cluster, recover_run


@click.command()
@click.argument("run", required=False)
@click.option("--all", "everything", is_flag=True, help="Every run of this machine's index.")
@click.option("--expired", is_flag=True, help="Only runs whose harness is no longer there.")
@click.option(
    "--system",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Also what runs from anywhere left on this system's cluster.  [default in a pod: its own]",
)
@kubeconfig_option
def recover(run: str | None, everything: bool, expired: bool, system: Path | None) -> None:
    """Take back whatever RUN (an id, or its directory) left behind.

    On a cluster, with --all or --expired, also what no run holds any more, by its Leases alone:
    the machine that ran it need not be there. Safe to repeat. Exits 0 when nothing is left, 5 when
    something could not be taken back, 2 when RUN is still going on.
    """
    if bool(run) == (everything or expired):
        raise click.UsageError("say which: a run, --all or --expired")
    entries = _chosen(run) if run else state.entries()
    done = [recover_run(RunDirectory(Path(e)), alive) for e, alive in _places(entries, expired)]
    if not run and (cluster := _cluster(system)):
        done += recover_cluster(cluster)
    if run and done and done[0].running:
        raise Refused(f"{done[0].run_id} {done[0].says}", hint="what it holds is its to take back")
    if not done:
        click.echo("no runs are known here: nothing to recover")
    for recovery in done:
        _print(recovery)
    sys.exit(Exit.LEFT_BEHIND if any(recovery.left for recovery in done) else Exit.PASS)


def _cluster(system: Path | None) -> Cluster | None:
    from harness.experiment.system_file import load_system
    from harness.substrates.kubernetes.connection import in_pod

    if system:
        return load_system(system).cluster
    return Cluster(namespace="") if in_pod() else None


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
