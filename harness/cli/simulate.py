"""`harness simulate`: try the engine against random schedules of everything that can go wrong."""

from __future__ import annotations

import os
import secrets
import sys
import time

import click

from harness.errors import Exit

SHOWN = 10


@click.command()
@click.option("--seed", type=int, help="Of the first schedule; each next is one more.  [random]")
@click.option(
    "--schedules", type=click.IntRange(1), default=20_000, show_default=True, help="How many."
)
@click.option(
    "--processes", type=click.IntRange(1, 64), help="At once.  [default: one a core, at most 4]"
)
def simulate(seed: int | None, schedules: int, processes: int | None) -> None:
    """Try the engine, its journal and recover against random schedules.

    Nothing real is touched: targets, clock and disk are simulated, and so are crashes, full disks,
    lost leases, late and lost answers, flapping witnesses, targets that go, aborts at any step. One
    schedule is shown step by step: that is how a seed that failed is looked at. Exits 70 when an
    invariant was violated.
    """
    first = secrets.randbelow(2**40) if seed is None else seed
    click.echo(f"seed {first}", err=True)
    sound = _one(first) if schedules == 1 else _many(first, schedules, processes)
    sys.exit(Exit.PASS if sound else Exit.INTERNAL)


def _one(seed: int) -> bool:
    from harness.simulation.schedule import run_schedule

    try:
        course = run_schedule(seed, click.echo)
    except Exception as error:
        click.echo(f"VIOLATED  {type(error).__name__}: {error}")
        return False
    click.echo(f"held: {course.steps} steps" + (", to the crash" if course.crashed else ""))
    return True


def _many(seed: int, schedules: int, processes: int | None) -> bool:
    from harness.simulation.campaign import Tally, campaign

    begun, total = time.monotonic(), Tally()
    tallies = campaign(seed, schedules, processes or min(4, os.cpu_count() or 1))
    with click.progressbar(length=schedules, label="schedules", file=sys.stderr) as bar:
        for tally in tallies:
            total.add(tally)
            bar.update(tally.schedules)
    for failed, said in total.violations[:SHOWN]:
        click.echo(f"VIOLATED  {said}\n    harness simulate --seed {failed} --schedules 1")
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in total.troubles.most_common())
    click.echo(
        f"{total.schedules:,} schedules, {total.steps:,} steps, {total.crashed:,} crashes, "
        f"{len(total.violations):,} violations; {time.monotonic() - begun:.0f} s\n"
        f"troubles: {kinds}"
    )
    return not total.violations
