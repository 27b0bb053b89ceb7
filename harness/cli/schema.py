"""`harness schema`: the file format for editors. `schemas/` holds the same, kept by a test."""

from __future__ import annotations

import json
from typing import cast

import click

from harness.experiment import schema as schemas
from harness.experiment.timeline import FaultModel


@click.command()
@click.argument(
    "kind", type=click.Choice(["experiment", "system", "targets"]), default="experiment"
)
def schema(kind: str) -> None:
    """Print the JSON schema (2020-12) of a kind of file.

    \b
    harness schema experiment > experiment.schema.json
    # yaml-language-server: $schema=experiment.schema.json
    """  # noqa: D301  click's mark is a real backspace
    click.echo(schema_text(kind), nl=False)


def schema_text(kind: str) -> str:
    from harness.faults import registry

    if kind == "system":
        made = schemas.system_schema()
    elif kind == "targets":
        made = schemas.targets_schema()
    else:
        faults = (registry.find(name) for name in registry.names())
        made = schemas.experiment_schema(cast("FaultModel", fault) for fault in faults if fault)
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
