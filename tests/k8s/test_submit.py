"""A run that is given to the cluster goes on when the machine that gave it is gone."""

import json
import os
import shutil
import signal
import subprocess
import sys

from clusters import SHOP_SYSTEM, until

EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {name: left-alone}
spec:
  hypothesis: Nobody has to wait for a run.
  system: system.yaml
  load:
    requests: [{get: /products}]
    entry: web
    arrivals: {requests: 20/s}
    timeout: 5s
  timeline:
    - {id: slow, at: 2s, for: 3s, fault: network.latency, target: api, delay: 100ms}
  settle: 2s
  objectives: []
"""


def harness(cluster, place, *words, **more):
    """A command of a machine that knows nothing yet."""
    place.mkdir(exist_ok=True)
    environment = {**os.environ, "HARNESS_KUBECONFIG": str(cluster.kubeconfig),
                   "XDG_STATE_HOME": str(place / "state")}  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.cli.main", "submit", *words], cwd=place, text=True,
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def test_the_machine_that_submitted_disappears_and_another_fetches(
    installed, with_harness, tmp_path
):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    (here / "system.yaml").write_text(SHOP_SYSTEM)
    (here / "experiment.yaml").write_text(EXPERIMENT)
    run = harness(with_harness, here, "experiment.yaml")
    said = run.stderr.readline()
    assert "submitted as run-" in said, said + run.stderr.read()
    name = said.split()[2]
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=10)
    shutil.rmtree(here)
    job = ("-n", "harness", "get", "job", name, "-o", "name")
    assert installed.kubectl(*job).strip()
    fetch = harness(with_harness, elsewhere, "--fetch", name)
    out, progress = fetch.communicate(timeout=150)
    assert fetch.returncode == 0, out + progress
    assert "EXPLORED left-alone" in out
    (directory,) = (elsewhere / "reports").glob("*left-alone*")
    lines = (directory / "journal.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert {"injected", "witnessed", "gone", "run.ended"} <= set(steps)
    assert (directory / "recording.0.bin").stat().st_size > 64 + 40 * 100
    until("its Job is gone", lambda: not installed.kubectl(*job, check=False).strip(), 30)
