"""Load from pods of the cluster, and from here through the API server."""

import json
import time

import numpy as np
from clusters import SHOP_SYSTEM, until
from test_runs_on_pods import Place

from harness.load.reading import read
from harness.load.recording import Outcome

EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {name: load}
spec:
  hypothesis: Every arrival is sent, and its row comes home.
  system: system.yaml
  load:
    requests: [{get: /products}]
    entry: ENTRY
    from: FROM
    workers: WORKERS
    arrivals: {requests: 60/s}
    warmup: 1s
    timeout: 5s
  duration: LASTSs
  settle: 1s
  objectives: []
"""


class Loaded(Place):
    def __init__(self, path, cluster, **fields):
        super().__init__(path, cluster)
        (path / "system.yaml").write_text(SHOP_SYSTEM)
        text = EXPERIMENT
        for word, value in fields.items():
            text = text.replace(word.upper(), str(value))
        (path / "experiment.yaml").write_text(text)

    def ended(self):
        lines = (self.path / "reports/last/journal.jsonl").read_text().splitlines()
        return next(s for s in map(json.loads, lines) if s["step"] == "load.ended")


def load_pods(cluster):
    chosen = ("-n", "harness", "-l", "app.kubernetes.io/name=harness-load")
    return cluster.kubectl("get", "pods", *chosen, "-o", "name", check=False).split()


def test_three_workers_on_three_nodes_share_one_schedule(with_harness, tmp_path):
    place = Loaded(tmp_path, with_harness, entry="web", FROM="cluster", workers=3, lasts=4)
    status, said = place.run("run", "experiment.yaml", timeout_s=150)
    assert status == 0, said
    recording, ended = read(tmp_path / "reports/last"), place.ended()
    due = (recording.rows["intended"] - recording.rows["intended"][0]) / 1e9
    assert np.allclose(due, np.arange(300) / 60, atol=1e-6)
    assert (ended["due"], ended["sent"], ended["dropped"]) == (300, 300, 0)
    assert [worker["rows"] for worker in ended["arrived"]] == [100, 100, 100]
    assert len({worker["place"].rpartition(" on ")[2] for worker in ended["arrived"]}) == 3
    assert "from inside of the cluster" in said
    until("its pods are gone", lambda: not load_pods(with_harness), 30)


def test_a_load_pod_that_is_killed_makes_the_run_invalid(with_harness, tmp_path):
    place = Loaded(tmp_path, with_harness, entry="web", FROM="cluster", workers=2, lasts=60)
    run = place.start("run", "experiment.yaml")
    until("the load runs", lambda: "load.started" in place.steps(), 90)
    time.sleep(2)
    victim = load_pods(with_harness)[0]
    with_harness.kubectl("-n", "harness", "delete", victim, "--force", "--grace-period=0")
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 6, said
    assert "load worker" in said
    assert victim.partition("/")[2] in "".join(said.split())
    until("its pods are gone", lambda: not load_pods(with_harness), 30)


def test_what_has_no_other_door_is_reached_by_port_forward(shop, tmp_path):
    place = Loaded(tmp_path, shop, entry="api", FROM="here", workers=1, lasts=4)
    status, said = place.run("plan", "experiment.yaml")
    assert "port-forward" in said
    status, said = place.run("run", "experiment.yaml", timeout_s=100)
    assert status == 0, said
    rows = read(tmp_path / "reports/last").rows
    assert len(rows) == 300
    assert (rows["outcome"] == Outcome.OK).sum() >= 290
    assert "port-forward" in place.record()["warnings"][0]
