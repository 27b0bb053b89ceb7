"""`harness plan`: exactly what a run would do. Starts nothing."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import experiment_options, load


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@experiment_options
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of every random choice.")
@click.option(
    "--output", type=click.Choice(["console", "json"]), default="console", show_default=True
)
def plan(
    file: Path, assignments: tuple[str, ...], system: Path | None, seed: int, output: str
) -> None:
    """Show the exact targets, mechanisms and times of a run, and what it can decide."""
    from harness.run.calibrate import doubted
    from harness.run.plan import make_plan
    from harness.run.plan_text import plan_text
    from harness.substrates.registry import substrate_for

    experiment = load(file, assignments, system)
    made = doubted(make_plan(experiment, substrate_for(experiment.system), seed, "plan"))
    if output == "json":
        import json

        from harness.record.directory import plan_to_json

        click.echo(json.dumps(plan_to_json(made), indent=1))
    else:
        click.echo(plan_text(made), nl=False)
