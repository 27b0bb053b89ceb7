"""The committed schemas and pages are those of the code, and say what the loader says.

`UPDATE_GOLDEN=1` writes them anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from light_schema import accepts

from harness.cli import fault_page
from harness.cli.schema import schema_text
from harness.experiment.fields import plain_data
from harness.experiment.problems import Problems
from harness.experiment.tree import read_tree
from harness.faults import registry

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
TARGETS = sorted((ROOT / "harness" / "targets").glob("*.yaml"))
RIGHT = sorted((ROOT / "experiments").glob("*.yaml"))
SYSTEMS = [
    *sorted((ROOT / "scenarios").glob("*/system*.yaml")),
    *sorted((GOLDEN / "scenario").glob("*.yaml")),
]

#: Wrong only in what a schema cannot know: names, units, text, what a target can take.
BEYOND_A_SCHEMA = (
    "text-", "yaml-", "variable-", "name-", "quantity-", "objective-", "abort-", "system-",
    "fault-on-attached", "fault-behind-toxiproxy", "fault-undeclared-edge",
    "fault-edge-without-port", "fault-pick",
    "fault-kill-the-client", "fault-process-between", "fault-target-and-from", "fault-share",
    "fault-from-without-to", "include-wrong-", "shape-no-load", "shape-nothing-to-do",
    "load-journeys",
)  # fmt: skip


def committed(path: Path, made: str) -> str:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(made, encoding="utf-8")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["experiment", "system", "targets"])
def test_schemas_are_in_step(kind: str) -> None:
    made = schema_text(kind)
    assert committed(ROOT / "schemas" / f"{kind}.v1.json", made) == made


def test_the_page_of_faults_is_in_step() -> None:
    made = fault_page.markdown()
    assert committed(ROOT / "docs" / "faults.md", made) == made


def schema(kind: str) -> Any:
    return json.loads(schema_text(kind))


def data_of(path: Path) -> Any:
    tree = read_tree(str(path), path.read_bytes(), Problems())
    assert tree
    return plain_data(tree)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_experiments_are_valid(path: Path) -> None:
    assert accepts(schema("experiment"), data_of(path), schema("experiment"))


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: f"{path.parent.stem}-{path.stem}")
def test_systems_are_valid(path: Path) -> None:
    assert accepts(schema("system"), data_of(path), schema("system"))


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_targets_are_valid(path: Path) -> None:
    assert accepts(schema("targets"), data_of(path), schema("targets"))


def test_wrong_targets_are_invalid() -> None:
    wrong = data_of(GOLDEN / "targets" / "shop.yaml")
    assert not accepts(schema("targets"), wrong, schema("targets"))


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in sorted((GOLDEN / "files").glob("*.yaml"))
        if not p.stem.startswith(BEYOND_A_SCHEMA)
    ],
    ids=lambda path: path.stem,
)
def test_wrong_files_are_invalid(path: Path) -> None:
    assert not accepts(schema("experiment"), data_of(path), schema("experiment"))


@pytest.mark.parametrize("name", registry.names())
def test_the_example_of_a_fault_is_right(name: str) -> None:
    fault = registry.find(name)
    assert fault is not None
    (line,) = yaml.safe_load(fault_page.example(fault))
    definition = schema("experiment")["$defs"][name]
    assert accepts(definition, line, schema("experiment"))
    own = {key: line[key] for key in line if key in fault.model_fields}
    fault.model_validate(own)
    assert all(info.description for info in fault.model_fields.values())
    assert fault_page.summary(fault)


def test_the_examples_of_the_page_on_the_format_are_valid() -> None:
    page = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in page.split("```yaml\n")[1:]]
    whole = [block for block in blocks if block.startswith("apiVersion")]
    assert len(whole) == 4
    for block in whole:
        tree = read_tree("file-format.md", block.encode(), Problems())
        assert tree
        data = plain_data(tree)
        kinds = {"Experiment": "experiment", "System": "system", "ReliabilityTargets": "targets"}
        kind = kinds[data["kind"]]
        assert accepts(schema(kind), data, schema(kind))
