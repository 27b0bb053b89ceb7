"""Checks what the first run left: first_report.py REPORT.json SECONDS (that `make run` took).

PASS, the database's delay as asked and as witnessed, `make run` in under 2 minutes and the
experiment in under one; deadlines are held to at three times their value, as in all tests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

RUN_S, EXPERIMENT_S, SLACK = 120, 60, 3


def main(path: str, took: str) -> int:
    report = json.loads(Path(path).read_text(encoding="utf-8"))
    wrong = list(problems(report, float(took)))
    for problem in wrong:
        print(f"newcomer: {problem}", file=sys.stderr)
    duration = report["run"]["duration_s"]
    print(f"newcomer: make run took {took} s, of which the experiment {duration:.0f} s")
    return 1 if wrong else 0


def problems(report: dict, took: float):
    if report["verdict"] != "pass":
        yield f"the verdict is {report['verdict']}: {report['reasons']}"
    lines = [line for effect in report["effects"] for line in effect["witnessed"]]
    delays = [line for line in lines if line["field"] == "delay"]
    for line in delays:
        print(f"newcomer: delay asked {line['asked']:.3f} s, witnessed {line['value']:.3f} s")
    if not delays or not all(line["confirmed"] for line in delays):
        yield "the report does not name the database's delay as asked and as witnessed"
    if took > SLACK * RUN_S:
        yield f"make run took {took:.0f} s, {RUN_S} are promised"
    if report["run"]["duration_s"] > SLACK * EXPERIMENT_S:
        yield f"the experiment took {report['run']['duration_s']:.0f} s, {EXPERIMENT_S} promised"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
