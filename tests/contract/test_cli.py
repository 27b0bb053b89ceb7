"""The command as a person meets it: help, statuses, messages; each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.cli.explain import explain
from harness.cli.listing import experiments_in, listing
from harness.cli.options import assigned
from harness.errors import Exit, InvalidRun, LeftBehind, UsageError
from harness.experiment import codes
from harness.faults import registry

GOLDEN = Path(__file__).parent.parent / "golden"
RIGHT = """\
apiVersion: harness/v1
kind: Experiment
metadata: {name: right, labels: {tier: pr}}
spec:
  hypothesis: It holds.
  system: system.yaml
  load: {users: shopper.py, entry: web, arrivals: {requests: 10/s, poisson: true}}
  duration: 5s
  objectives: []
"""


def harness(
    *arguments: str, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli.main", *arguments]
    environment = os.environ | {"HARNESS_DEBUG": ""} | env
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=60, check=False
    )


#: Too slow to import for a command that answers at once.
HEAVY = {"rich", "numpy", "scipy", "locust", "jinja2", "psutil", "kubernetes"}


def imported_by(*arguments: str, cwd: Path | None = None) -> set[str]:
    """What the command has imported when it ends."""
    code = (
        "import sys; from harness.cli.main import cli, guarded;"
        f"guarded(lambda: cli.main({list(arguments)!r}, standalone_mode=False));"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=True)
    return set(found.stderr.split())


@pytest.fixture
def room(tmp_path: Path) -> Path:
    for name in ("system.yaml", "shopper.py"):
        (tmp_path / name).write_text((GOLDEN / "scenario" / name).read_text())
    (tmp_path / "right.yaml").write_text(RIGHT)
    return tmp_path


@pytest.mark.parametrize("name", main.COMMANDS)
def test_examples_in_a_help_stay_on_lines_of_their_own(name):
    said = CliRunner().invoke(main.cli, [name, "--help"]).output
    examples = [line for line in said.splitlines() if line.strip().startswith(f"harness {name}")]
    assert "\\b" not in said
    assert all(line.count("harness ") == 1 for line in examples), said


def test_help_says_what_there_is_and_imports_nothing_heavy() -> None:
    found = harness("--help")
    assert found.returncode == 0
    assert all(f"\n  {name} " in found.stdout for name in main.COMMANDS)
    assert "inconclusive" in found.stdout
    assert not imported_by("--help") & (HEAVY | {"pydantic", "yaml"})


def test_version() -> None:
    found = harness("--version")
    assert found.returncode == 0
    assert "harness 0." in found.stdout
    assert "Python 3." in found.stdout


def test_usage_errors() -> None:
    for arguments in (["rnu"], ["validate"], ["run", "--no-such-option"], ["schema", "planet"]):
        found = harness(*arguments)
        assert found.returncode == Exit.USAGE, arguments
        assert "Traceback" not in found.stderr
    assert "did you mean run?" in harness("rnu").stderr


def test_validate(room: Path) -> None:
    found = harness("validate", "right.yaml", "system.yaml", cwd=room)
    assert found.returncode == 0, found.stderr
    assert "right.yaml: right: experiment right, 0 faults, 0 objectives" in found.stdout
    (room / "wrong.yaml").write_text(RIGHT.replace("web", "wob"))
    found = harness("validate", "right.yaml", "wrong.yaml", cwd=room)
    assert found.returncode == Exit.USAGE
    assert "wrong.yaml:7:36: error HF302" in found.stderr
    assert "1 of 2 files are wrong" in found.stderr
    assert harness("validate", "none.yaml", cwd=room).returncode == Exit.USAGE


def test_validate_imports_the_models_that_the_file_names(room: Path) -> None:
    (room / "fault.yaml").write_text(
        RIGHT.replace(
            "  duration: 5s\n",
            "  timeline:\n  - {id: one, at: 1s, fault: process.kill, target: api}\n",
        )
    )
    loaded = imported_by("validate", "fault.yaml", cwd=room)
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("harness.faults.")} >= {
        "harness.faults.process.kill"
    }
    assert "harness.faults.network.latency" not in loaded


def test_set_and_system(room: Path) -> None:
    wrong = harness("validate", "right.yaml", "--set", "rate", cwd=room)
    assert (wrong.returncode, "write NAME=VALUE" in wrong.stderr) == (Exit.USAGE, True)
    none = harness("validate", "right.yaml", "--set", "rate=5/s", cwd=room)
    assert (none.returncode, "no variable" in none.stderr) == (Exit.USAGE, True)
    gone = harness("validate", "right.yaml", "--system", "gone.yaml", cwd=room)
    assert (gone.returncode, "gone.yaml" in gone.stderr) == (Exit.USAGE, True)
    assert assigned(("a=1", "b = x=y")) == {"a": "1", "b": "x=y"}


def test_schema_is_json() -> None:
    for kind in ("experiment", "system"):
        assert json.loads(harness("schema", kind).stdout)["$schema"].endswith("2020-12/schema")


def test_explain_knows_all_codes_and_topics() -> None:
    known = (*(code.id for code in codes.table()), *registry.names())
    for topic in (*known, "objectives", "verdict", "exit", "hx500"):
        found = CliRunner().invoke(explain, [topic])
        assert found.exit_code == 0, topic
        assert found.output.strip()
    with pytest.raises(UsageError):
        CliRunner().invoke(explain, ["objectivs"], catch_exceptions=False)


def test_list(room: Path) -> None:
    (room / "other.yaml").write_text(RIGHT.replace("tier: pr", "tier: night"))
    (room / "broken.yaml").write_text("a: [")
    names = [path.name for path in experiments_in(room)]
    assert names == ["broken.yaml", "other.yaml", "right.yaml"]
    assert [p.name for p in experiments_in(room, "tier=pr")] == ["right.yaml"]
    assert [p.name for p in experiments_in(room, "tier!=pr")] == ["broken.yaml", "other.yaml"]
    faults = CliRunner().invoke(listing, ["faults"]).output
    assert all(name in faults for name in registry.names())


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (
            LeftBehind("a rule is left", hint="nft delete …"),
            Exit.LEFT_BEHIND,
            "error HX500: a rule",
        ),
        (InvalidRun("not met", where="a.yaml:3"), Exit.INVALID, "a.yaml:3: error HX600: not met"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted"),
        (click.UsageError("what?"), Exit.USAGE, "what?"),
        (ZeroDivisionError("oops"), Exit.INTERNAL, "internal error: ZeroDivisionError: oops"),
        (SystemExit(3), Exit.INCONCLUSIVE, ""),
        (SystemExit(None), Exit.PASS, ""),
    ],
)
def test_whatever_happens_becomes_a_status(
    raised: BaseException, status: Exit, said: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("HARNESS_DEBUG", raising=False)

    def command() -> None:
        raise raised

    assert main.guarded(command) == status
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    kept = tmp_path / "harness" / "last-error.log"
    assert kept.exists() == (status == Exit.INTERNAL)


def test_a_reader_that_goes_is_no_error() -> None:
    command = f"{sys.executable} -m harness.cli.main schema | head -c 1"
    found = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    assert (found.stdout, found.stderr) == ("{", "")
