"""`harness calibrate`: what rate a load worker can hold on this machine."""

from __future__ import annotations

import click


@click.command()
def calibrate() -> None:
    """Measure how many arrivals a second one load worker sends on time here.

    Once for Locust users (FastHttpUser; HttpUser holds about a third of it) and once for
    `requests`, against a small server of our own on loopback. Takes half a minute, in which nothing
    else should run. `harness plan` warns of loads beyond it.
    """
    from harness.run.calibrate import TOPS, keep
    from harness.run.calibrate import calibrate as measure

    for driver in TOPS:
        held = measure(driver, lambda line: click.echo(line, err=True))
        keep(held)
        click.echo(f"{driver}  {held.rate:,.0f}/s a worker, P99 {held.late_p99_ms:.2f} ms late")
