"""`harness allow`: let a namespace of a cluster take faults, as its owner."""

from __future__ import annotations

import click

from harness.cli.options import kubeconfig_option


@click.command()
@click.argument("namespace")
@click.argument("families", nargs=-1)
@click.option("--context", default="", help="Of the kubeconfig.  [default: the current one]")
@click.option("--revoke", is_flag=True, help="Take the permission back.")
@click.option("--dry-run", is_flag=True, help="Only print the command that would do it.")
@kubeconfig_option
def allow(
    namespace: str, families: tuple[str, ...], context: str, revoke: bool, dry_run: bool
) -> None:
    """Label NAMESPACE so that it takes faults of these FAMILIES (none: all).

    \b
    harness allow shop network process
    harness allow shop --revoke
    """  # noqa: D301  click's mark is a real backspace
    from harness.experiment.system_model import Cluster
    from harness.substrates.kubernetes.button import allow as label
    from harness.substrates.kubernetes.consent import ALLOW

    words = "" if revoke else ".".join(families) or "all"
    change = f"{ALLOW}-" if revoke else f"{ALLOW}={words} --overwrite"
    where = f" --context {context}" if context else ""
    click.echo(f"kubectl{where} label namespace {namespace} {change}")
    if not dry_run:
        there = label(Cluster(namespace, context), words)
        click.echo(f"done ({there})")
