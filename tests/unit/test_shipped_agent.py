"""The agent's code travels as one zip that needs nothing but Python."""

import io
import os
import subprocess
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

import harness
from harness.agent.button import HALT
from harness.substrates.kubernetes.shipping import BOOTSTRAP, code, command


def test_all_of_the_agent_and_nothing_else_is_sent():
    names = zipfile.ZipFile(io.BytesIO(code())).namelist()
    assert "harness/agent/main.py" in names
    assert "harness/mechanisms/signals.py" in names
    assert {name.split("/")[1] for name in names} == {"__init__.py", "agent", "mechanisms"}


def test_what_is_executed_names_the_size_and_the_lease():
    assert command(5.0)[:3] == ("python3", "-c", BOOTSTRAP)
    assert command(5.0)[3:] == (str(len(code())), "--lease", "5", "--in-pod")


def test_what_is_executed_can_be_read_by_python():
    compile(BOOTSTRAP, "bootstrap", "exec")


@pytest.mark.parametrize("magic", [MAGIC_NUMBER, b"an other"[:4]])
def test_bytecode_saves_compiling_and_another_python_compiles(tmp_path, magic):
    """One module, sent as all are, whose bytecode says something else than its source."""
    whole = zipfile.ZipFile(io.BytesIO(code()))
    (bytecode,) = (whole.read(n) for n in whole.namelist() if n == "harness/agent/button.pyc")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as sent:
        sent.writestr("button.pyc", magic + bytecode[4:])
        sent.writestr("button.py", "HALT = 'compiled'")
    asked = "import sys; sys.path.insert(0, 'code.zip'); import button; print(button.HALT)"
    found = {**os.environ, "PYTHONPATH": str(Path(harness.__file__).parent.parent)}
    said = subprocess.run(
        [sys.executable, "-S", "-c", asked], cwd=tmp_path, env=found, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == (HALT if magic == MAGIC_NUMBER else "compiled")
