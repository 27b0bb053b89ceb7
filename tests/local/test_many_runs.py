"""Many runs at once on as many targets, all started in one moment: each is alone with its target.

`HARNESS_TEST_RUNS=50` for as many as the promise names; CI takes what two cores bear.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import MODULE
from worlds import WHY_NOT

from harness.record.journal import read
from harness.selftest import tiny

RUNS = int(os.environ.get("HARNESS_TEST_RUNS", "12"))
PATIENCE_S = 60 + 6 * RUNS
TINY = (sys.executable, "-P", "-S", tiny.__file__)
ATTACHED = """
    server: {{attach: {{pid: {pid}}}, port: {port}}}"""
STARTED = """
    server: {{run: "{tiny} server $(port) {mark}", port: 7000, ready: tcp}}
    asker:
      run: "{tiny} asker $(port) {mark} $(server.host) $(server.port)"
      port: 7001
      ready: tcp
      calls: [server]"""
SYSTEM = """\
apiVersion: harness/v1
kind: System
metadata: {{name: many}}
spec:
  services: {services}
"""
EXPERIMENT = """\
apiVersion: harness/v1
kind: Experiment
metadata: {name: many}
spec:
  hypothesis: Runs do not meet.
  system: system.yaml
  timeline: [{id: f, at: 1s, for: 5s, fault: process.pause, target: server}]
  objectives: []
  settle: 0s
"""


@pytest.fixture
def servers():
    """A process of this machine for each run that attaches to one, with its port, and somebody who
    calls it."""
    with contextlib.ExitStack() as begun:
        yield [begun.enter_context(asked()) for _ in range(RUNS - RUNS // 2)]


@contextlib.contextmanager
def asked():
    with running("server", "0", "") as (pid, port), running("asker", "0", "", "127.0.0.1", port):
        yield pid, port


@contextlib.contextmanager
def running(*words):
    argv = [*TINY, *map(str, words)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        yield process.pid, int(process.stdout.readline())
        process.kill()


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.timeout(PATIENCE_S + 60)
def test_runs_started_in_one_moment(tmp_path, servers):
    """They share the index, the leases and the directory of runs; half attach to a process each,
    half have a world each."""
    worlds = [STARTED.format(tiny=shlex.join(TINY), mark=f"{i:06x}") for i in range(RUNS // 2)]
    services = [*(ATTACHED.format(pid=pid, port=port) for pid, port in servers), *worlds]
    places = [place(tmp_path / str(i), service) for i, service in enumerate(services)]
    env = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
    begin = time.monotonic()
    runs = [start(tmp_path, here, env) for here in places]
    try:
        ends = [run.wait(max(1.0, begin + PATIENCE_S - time.monotonic())) for run in runs]
    finally:
        for run in runs:
            run.kill()
    print(f"{RUNS} runs within {time.monotonic() - begin:.0f} s")
    said = [(here / "said").read_text() for here in places]
    assert ends == [0] * RUNS, "\n".join(s for end, s in zip(ends, said, strict=True) if end)
    each = [read(path) for path in (tmp_path / "reports").glob("2*/journal.jsonl")]
    assert len(each) == RUNS
    for steps in each:
        names = [step.step for step in steps]
        assert "abort" not in names
        assert names.count("injected") == names.count("reverted") == names.count("gone") == 1
    assert not any(stopped(pid) for pid, _ in servers)
    subprocess.run([*MODULE, "recover", "--all"], env=env, check=True)


def place(path: Path, service: str) -> Path:
    path.mkdir()
    (path / "system.yaml").write_text(SYSTEM.format(services=service))
    (path / "experiment.yaml").write_text(EXPERIMENT)
    return path


def start(reports: Path, here: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    with (here / "said").open("wb") as said:
        return subprocess.Popen(
            [*MODULE, "run", "experiment.yaml", "--reports", str(reports / "reports")],
            cwd=here, env=env, stdout=said, stderr=said, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T"
