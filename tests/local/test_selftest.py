"""`harness selftest` as a user runs it: nothing is left; and where something is, it says so."""

import json
from collections import Counter
from pathlib import Path

import pytest
from commands import harness
from worlds import WHY_NOT

from harness.faults import registry
from harness.selftest.conduct import LEASE_S
from harness.selftest.results import Cell
from harness.selftest.shot import shoot
from harness.selftest.victims import VICTIMS

#: The agent's half and the reaper's half forget to let a stopped process go on.
FORGETFUL = """
import sys
from importlib import abc, util

class Patched(abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "harness.mechanisms.signals":
            return None
        sys.meta_path.remove(self)
        spec = util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            module._continue = lambda target, but: None
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Patched())
"""


def selftest(tmp_path, *options, timeout=100.0, **env):
    path = tmp_path / "selftest.json"
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    done = harness(
        "selftest", "--output", "console", "--output", f"json={path}", *options,
        timeout=timeout, **state, **env,
    )  # fmt: skip
    return done, json.loads(path.read_text())


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.timeout(900)
def test_nothing_is_left_behind(tmp_path):
    """A sample of every fault, every step and everybody who can be killed, with a new seed each
    time; the figures are printed."""
    done, report = selftest(tmp_path, "--quick", timeout=800)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [shot["cell"] for shot in report["shots"]]
    nowhere = Counter(fault for fault, _, _ in report["not_offered"])
    assert {c["fault"] for c in cells} == {f for f in registry.names() if nowhere[f] < 2}
    assert len(report["rehearsals"]) > 10
    assert {cell["victim"] for cell in cells} == set(VICTIMS)
    assert report["left_behind"] == 0
    assert report["longest_s"] < 3 * (report["lease_s"] + 1)
    assert "left" in done.stdout
    assert not list(Path(tmp_path).glob("harness-selftest-*"))


@pytest.mark.parametrize("step", ["witnessed", "reverted"])
def test_what_is_left_is_found(tmp_path, monkeypatch, step):
    (tmp_path / "sitecustomize.py").write_text(FORGETFUL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cell = Cell("attached", "process.pause", step, "SIGTERM")
    shot = shoot(cell, tmp_path / "run", LEASE_S)
    assert shot.hit
    assert any("is stopped" in line for line in shot.left)


def test_a_fault_that_is_not_there(tmp_path):
    done = harness("selftest", "--fault", "process.pauze")
    assert done.returncode == 2
    assert "did you mean process.pause?" in done.stderr
