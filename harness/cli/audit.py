"""`harness audit`: is a run's journal as it was written, and who did what when to which target."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from harness.clock import Epoch
from harness.errors import Exit, UsageError
from harness.record.directory import RunDirectory
from harness.record.journal import Chain, Step, chain_of, salvaged

#: What was only looked at or judged is no deed.
_NO_DEED = ("look", "before", "witnessed", "judged", "exercised")


@click.command()
@click.argument("run", default="last")
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where run directories are.",
)
def audit(run: str, reports: Path) -> None:
    """Verify the journal of RUN, and print who did what when to which target.

    Each line has the SHA-256 sum of the sum before it and itself, so that a line that was changed,
    taken out or put in shows. A whole chain can be written anew by whoever can write the file: keep
    the last sum elsewhere to be sure. Exits 6 when something does not verify.
    """
    from harness.cli.report import find_run

    directory = find_run(run, reports)
    chain = chain_of(directory.journal)
    for line in _deeds(directory, salvaged(chain)):
        click.echo(line)
    doubts = tuple(_doubts(directory, chain))
    click.echo(f"{directory.path.name}: {_said(chain)}")
    for doubt in doubts:
        click.echo(f"    NOT as it was written: {doubt}")
    sys.exit(Exit.INVALID if doubts else Exit.PASS)


def _said(chain: Chain) -> str:
    count = f"{len(chain.steps)} lines verify" if chain.steps else "nothing was written"
    old = (
        f"; {chain.old} of them by CRC-32 alone, as older versions wrote: that shows accidents, "
        "no intent" if chain.old else ""
    )  # fmt: skip
    torn = "; a last line was never finished" if chain.rest and not chain.damaged else ""
    return f"{count}{old}{torn}" + (f"; last sum {chain.head}" if chain.head else "")


def _doubts(directory: RunDirectory, chain: Chain) -> Iterator[str]:
    if chain.damaged:
        yield f"line {len(chain.steps) + 1} of {directory.journal.name}, and what stands behind it"
    begun = next((s.data for s in chain.steps if s.step == "run.started"), {})
    if "plan_sha256" in begun and begun["plan_sha256"] != directory.plan_sum():
        yield "plan.json is another than the one that the run began with"


def _deeds(directory: RunDirectory, steps: tuple[Step, ...]) -> Iterator[str]:
    targets, epoch, who = _targets(directory), _epoch(directory), ""
    for step in steps:
        who = step.data.get("who", who)
        if step.step in _NO_DEED:
            continue
        when = step.data.get("when") or (epoch.date(step.at).isoformat(" ", "milliseconds")
                                         if epoch else f"{step.at / 1e9:.3f} s")  # fmt: skip
        to = f"  {step.effect} ({targets.get(step.effect, '?')})" if step.effect else ""
        reason = f"  {step.data['reason']}" if step.data.get("reason") else ""
        yield f"{when}  {who}  {step.step}{to}{reason}"


def _targets(directory: RunDirectory) -> dict[str, str]:
    with suppress(UsageError):
        return {e.id: f"{e.kind} on {e.target}" for e in directory.plan().effects}
    return {}


def _epoch(directory: RunDirectory) -> Epoch | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return directory.facts().epoch
    return None
