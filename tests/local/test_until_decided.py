"""`harness run --until-decided` on a real service, with objectives from everywhere."""

from pathlib import Path

import pytest
from commands import harness, run
from worlds import WHY_NOT

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "works")

SYSTEM = """\
apiVersion: harness/v1
kind: System
metadata: {name: page}
spec:
  services:
    web: {run: "python3 page.py $(port)", port: 8000, ready: /}
"""
PAGE = """\
import http.server, sys

class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Page).serve_forever()
"""
EXPERIMENT = """\
apiVersion: harness/v1
kind: Experiment
metadata: {name: early}
spec:
  hypothesis: The page is there.
  system: system.yaml
  load:
    requests: [{get: /}]
    entry: web
    arrivals: {requests: 200/s}
    timeout: 500ms
  timeline:
    - {id: slow, at: 30s, for: 30s, fault: network.latency, from: client, to: web, delay: 50ms}
  objectives:
    - include: {targets: slo.yaml}
    - include: {targets: enterprise, only: [rollback]}
    - availability >= 99% during slow
"""
SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: quick
  annotations: {example.com/phase: baseline, example.com/confidence: "0.95"}
spec:
  service: web
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  indicator:
    spec:
      ratioMetric:
        good: {metricSource: {type: LoadEvents, spec: {filter: ok and latency_ms < 250}}}
        total: {metricSource: {type: LoadEvents, spec: {filter: all}}}
  objectives: [{target: 0.98}]
"""


def test_a_phase_ends_once_its_objectives_are_decided(tmp_path: Path) -> None:
    for name, text in (("system.yaml", SYSTEM), ("page.py", PAGE), ("e.yaml", EXPERIMENT),
                       ("slo.yaml", SLO)):  # fmt: skip
        (tmp_path / name).write_text(text)
    planned = harness("plan", tmp_path / "e.yaml")
    assert "to prove: 149 requests in " in planned.stdout
    status, report = run(tmp_path / "e.yaml", tmp_path, "--until-decided")
    slo, rollback, during = report["objectives"]
    assert (status, report["verdict"]) == (3, "inconclusive"), report["reasons"]
    assert (slo["verdict"], rollback["verdict"], during["verdict"]) == (
        "pass", "inconclusive", "pass",
    )  # fmt: skip
    assert slo["text"] == "p98 < 250ms baseline at 95% (quick)"
    assert "the sequential test (each error at most 5 %) proved it after" in slo["says"]
    assert "ended early at" in slo["says"]
    assert "ended early at" in during["says"]
    assert "not measured" in rollback["says"].lower()
    assert report["run"]["duration_s"] < 40, "of 65 planned"
    (effect,) = report["effects"]
    assert effect["confirmed"]
    assert effect["reverted_at_s"] is not None
