"""The agent's code travels as one zip that needs nothing but Python."""

import io
import zipfile

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
