"""Runs the tests level by level, and fails on a skip that nobody expects.

A test that cannot run says why in its skip reason; reasons that are expected somewhere stand in
`EXPECTED`, and everything else is a failure in CI.

Levels that measure real time are at the mercy of the machine's neighbours: a few failures there are
run once more, alone, and are printed as such. What fails twice has failed. Cases of one test count
as one: they look at the same run.

The cluster's level mostly waits, so the simulation takes what it leaves of the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

LEVELS = ("unit", "golden", "contract", "sim", "local", "k8s")
REAL_TIME = ("local", "k8s")
BESIDE_SIMULATION = "k8s"
FEW = 5
EXPECTED: tuple[str, ...] = ("not root", "the interpreter is closed to ordinary users")


def main() -> int:
    failed, skips, again = [], [], []
    simulation = None
    for level in LEVELS:
        if not any(Path("tests", level).rglob("test_*.py")):
            continue
        report = Path(f".pytest_cache/{level}.xml")
        if level == BESIDE_SIMULATION:
            simulation = subprocess.Popen(["nice", "-n", "19", "make", "simulate"])
        if run(level, report):
            spoiled = failures(report) if level in REAL_TIME else []
            worth = 0 < len({name.partition("[")[0] for name in spoiled}) <= FEW
            again += spoiled if worth else []
            if not worth or rerun(level):
                failed.append(level)
        skips += unexpected(report)
    if simulation and simulation.wait():
        failed.append("simulation")
    for name in again:
        print(f"failed once, and was run again: {name}")
    for skip in skips:
        print(f"unexpected skip: {skip}")
    print(f"failed levels: {', '.join(failed) or 'none'}; unexpected skips: {len(skips)}")
    return 1 if failed or (skips and os.environ.get("CI")) else 0


def run(level: str, report: Path) -> int:
    return pytest(f"tests/{level}", f"--junitxml={report}", "--durations=5", "-q")


def rerun(level: str) -> int:
    return pytest(f"tests/{level}", "--last-failed", "--last-failed-no-failures=none", "-q")


def pytest(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def failures(report: Path) -> list[str]:
    """The tests that failed or whose fixtures did; none where the report is missing or torn."""
    try:
        cases = list(ET.parse(report).iter("testcase"))
    except (OSError, ET.ParseError):
        return []
    broken = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    return [f"{case.get('classname')}::{case.get('name')}" for case in broken]


def unexpected(report: Path) -> list[str]:
    if not report.exists():
        return []
    found = []
    for case in ET.parse(report).iter("testcase"):
        for skipped in case.iter("skipped"):
            why = skipped.get("message", "")
            if not any(why.startswith(reason) for reason in EXPECTED):
                found.append(f"{case.get('classname')}::{case.get('name')}: {why}")
    return found


if __name__ == "__main__":
    sys.exit(main())
