"""The `harness` command in a process of its own, and what its JSON report says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODULE = (sys.executable, "-P", "-m", "harness.cli.main")


def harness(
    *words: str | Path, cwd: Path = ROOT, timeout: float = 60.0, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MODULE, *map(str, words)], cwd=cwd, timeout=timeout, env=os.environ | env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def run(
    file: Path, reports: Path, *options: str, cwd: Path = ROOT, **env: str
) -> tuple[int, dict[str, Any]]:
    """The exit status and the JSON report of `harness run`; the report fits its schema."""
    path = reports / "report.json"  # of the last run, where an invalid one is repeated
    words = ("run", file, "--reports", reports, "--output", f"json={path}", *options)
    done = harness(*words, cwd=cwd, timeout=280, **env)
    assert path.exists(), done.stderr
    report = json.loads(path.read_text(encoding="utf-8"))
    assert fits_schema(report)
    assert report["exit_status"] == done.returncode, done.stderr
    return done.returncode, report


def fits_schema(report: dict[str, Any]) -> bool:
    sys.path.append(str(ROOT / "tests" / "contract"))
    from light_schema import accepts

    schema = json.loads((ROOT / "schemas" / "report.v1.json").read_text())
    return accepts(schema, report, schema)
