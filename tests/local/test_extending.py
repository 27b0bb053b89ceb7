"""EXTENDING.md is true: its fault, taken from the page, is found, explained, run and witnessed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import ROOT, harness, run
from worlds import WHY_NOT

PAGE = (ROOT / "EXTENDING.md").read_text(encoding="utf-8")
FAULT = "network.congestion"
HEAD = """\
apiVersion: harness/v1
kind: Experiment
metadata: {{name: congested}}
spec:
  hypothesis: The shop sells over a line that is full.
  system: {system}
  load: {{users: {users}, entry: web, arrivals: {{tasks: 60/s}}, warmup: 2s, timeout: 1s}}
  objectives: []
  {timeline}"""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def package(tmp_path: Path) -> dict[str, str]:
    """The fault in a package of somebody else; the environment that finds it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "congestion.py").write_text(block("python"))
    about = site / "somebody-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        block("toml").replace('"', "").replace(" = ", "=").replace("project.entry-points.", "")
        .replace("your_package.congestion", "congestion")
    )  # fmt: skip
    return {"PYTHONPATH": str(site)}


@pytest.fixture
def copy(tmp_path: Path) -> dict[str, str]:
    """The file where the page says, in a copy of our own package."""
    shutil.copytree(
        ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__")
    )
    where = re.search(r"Save this as `(.*?)`", PAGE)
    assert where
    (tmp_path / where[1]).write_text(block("python"))
    return {"PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize("way", ["copy", "package"])
def test_one_file_is_enough_everywhere(
    way: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    env = request.getfixturevalue(way)
    listed = harness("list", "faults", cwd=tmp_path, **env).stdout
    assert f"{FAULT}     The line is full: packets arrive late, and some of them never." in listed
    explained = harness("explain", FAULT, cwd=tmp_path, **env).stdout
    assert "loss: a share like 5%, or a curve (required)" in explained
    schema = json.loads(harness("schema", cwd=tmp_path, **env).stdout)
    assert {"delay", "loss", "direction", "ports"} <= set(schema["$defs"][FAULT]["properties"])
    wrong = experiment(tmp_path, block("yaml").replace("loss:", "lost:"))
    refused = harness("validate", wrong, cwd=tmp_path, **env)
    assert refused.returncode == 2
    assert "did you mean loss?" in refused.stderr


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "works")
def test_it_is_injected_witnessed_met_and_gone(package: dict[str, str], tmp_path: Path) -> None:
    file = experiment(tmp_path, block("yaml"))
    status, report = run(file, tmp_path / "reports", "--retry-invalid", "1", **package)
    assert (status, report["reasons"]) == (0, [])
    assert [effect["fault"] for effect in report["effects"]] == [FAULT, FAULT]
    for effect in report["effects"]:
        assert [line["field"] for line in effect["witnessed"]] == ["delay", "loss"]
        assert effect["confirmed"]
        assert effect["exercised"]["count"] > 0
        assert effect["gone_at_s"] is not None
        assert effect["left_behind"] == []


def experiment(directory: Path, timeline: str) -> Path:
    shop = ROOT / "scenarios" / "checkout"
    path = directory / "congested.yaml"
    path.write_text(
        HEAD.format(
            system=shop / "system.yaml",
            users=shop / "shopper.py",
            timeline=timeline.replace("\n", "\n  "),
        ).rstrip()
        + "\n"
    )
    (directory / "reports").mkdir(exist_ok=True)
    return path
