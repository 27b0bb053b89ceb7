"""`harness world`: a system that stays up, and commands run in it."""

import os
import secrets
import signal
import subprocess
import sys
import time

import pytest
from worlds import PYTHON, WHY_NOT

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "works")
HARNESS = (sys.executable, "-P", "-m", "harness.cli.main")
NAME = f"little-{secrets.token_hex(3)}"
SYSTEM = f"""
apiVersion: harness/v1
kind: System
metadata: {{name: {NAME}}}
spec:
  services:
    api: {{run: "{PYTHON} -m http.server $(port)", port: 8000, ready: /, replicas: 2}}
"""


@pytest.fixture
def up(tmp_path):
    (tmp_path / "system.yaml").write_text(SYSTEM)
    out = tmp_path / "out.txt"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*HARNESS, "world", "system.yaml"], cwd=tmp_path, stdout=file, stderr=file
        )
    try:
        deadline = time.monotonic() + 30
        while "is up" not in out.read_text():
            assert process.poll() is None, out.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process, out
    finally:
        process.kill()
        process.wait()


def visit(host, *words, **options):
    command = [*HARNESS, "world", "exec", f"{NAME}/{host}", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=False, **options
    )


def test_a_world_is_visited_and_ends_at_ctrl_c(up, tmp_path):
    process, out = up
    assert "api-1  198.18.0.3:8000" in out.read_text()
    done = visit("api-1", "--", "sh", "-c", "pwd; cat; exit 9", input="typed")
    assert (done.stdout, done.returncode) == (f"{tmp_path}\ntyped", 9)
    killed = visit("client", "--", "sh", "-c", "kill -9 $$")
    assert killed.returncode == 128 + signal.SIGKILL
    missing = visit("nowhere", "--", "true")
    assert missing.returncode == 2
    assert "there are client, api-0, api-1" in missing.stderr
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(15) == 0
    assert visit("client", "--", "true").returncode == 2


def test_a_visit_that_is_killed_takes_its_command_along(up):
    visitor = subprocess.Popen([*HARNESS, "world", "exec", f"{NAME}/client", "--", "sleep", "4711"])
    listed = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep [4]711'"
    count = ("api-0", "--", "sh", "-c", listed)
    deadline = time.monotonic() + 15
    while visit(*count).stdout.strip() == "0":
        assert time.monotonic() < deadline
    visitor.kill()
    visitor.wait()
    while visit(*count).stdout.strip() != "0":
        assert time.monotonic() < deadline + 15
