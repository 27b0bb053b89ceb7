"""Runs the tests level by level, and fails on a skip that nobody expects.

A test that cannot run says why in its skip reason; reasons that are expected somewhere stand in
`EXPECTED`, and everything else is a failure in CI.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

LEVELS = ("unit", "golden", "contract", "sim", "local", "k8s")
EXPECTED: tuple[str, ...] = ("not root",)


def main() -> int:
    failed, skips = [], []
    for level in LEVELS:
        if not any(Path("tests", level).rglob("test_*.py")):
            continue
        report = Path(f".pytest_cache/{level}.xml")
        command = [
            sys.executable,
            "-m",
            "pytest",
            f"tests/{level}",
            f"--junitxml={report}",
            "--durations=5",
            "-q",
        ]
        if subprocess.run(command, check=False).returncode:
            failed.append(level)
        skips += unexpected(report)
    for skip in skips:
        print(f"unexpected skip: {skip}")
    print(f"failed levels: {', '.join(failed) or 'none'}; unexpected skips: {len(skips)}")
    return 1 if failed or (skips and os.environ.get("CI")) else 0


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
