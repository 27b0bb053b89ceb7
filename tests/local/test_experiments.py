"""Every file of experiments/ comes to what it teaches, by the command, on the real demo system.

A busy machine may spoil a run: that is INVALID, about the test and never about the system, and the
run is repeated once, as anybody would do it (`--retry-invalid 1`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT, run
from worlds import WHY_NOT

from harness.errors import Exit

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "works")
FILES = ROOT / "experiments"


@dataclass(frozen=True)
class Lesson:
    """`because`: words of the reasons, or of the line that decides, that carry the lesson."""

    exit: Exit
    because: str = ""


LESSONS = {
    "checkout-survives-slow-database": Lesson(Exit.PASS),
    "checkout-survives-a-lost-replica": Lesson(Exit.PASS),
    "checkout-survives-a-dead-cache": Lesson(Exit.PASS),
    "checkout-survives-a-flapping-cache": Lesson(Exit.PASS),
    "checkout-survives-a-bad-network": Lesson(Exit.PASS),
    "checkout-survives-a-busy-evening": Lesson(Exit.PASS),
    "checkout-is-back-after-a-restart": Lesson(Exit.PASS),
    "checkout-fails-without-a-timeout": Lesson(Exit.FAIL, "availability >= 99% during hanging"),
    "checkout-fails-on-a-single-point-of-failure": Lesson(
        Exit.FAIL, "availability >= 99.5% during lost"
    ),
    "checkout-fails-to-recover-in-time": Lesson(Exit.FAIL, "recovery < 3s after no-database"),
    "checkout-needs-more-requests": Lesson(Exit.INCONCLUSIVE, "availability >= 99.99% at 95%"),
    "checkout-never-met-the-fault": Lesson(Exit.INVALID, "was not exercised"),
    "checkout-explore-a-slower-database": Lesson(Exit.PASS),
}


def test_each_file_is_tried_and_says_what_it_teaches() -> None:
    files = sorted(FILES.glob("*.yaml"))
    assert {file.stem for file in files} == set(LESSONS)
    assert [file.name for file in files if "# Teaches: " not in file.read_text()] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LESSONS)
def test_it_comes_to_what_it_teaches(name: str, tmp_path: Path) -> None:
    lesson = LESSONS[name]
    retries = () if lesson.exit is Exit.INVALID else ("--retry-invalid", "1")
    status, report = run(FILES / f"{name}.yaml", tmp_path, *retries)
    assert status == lesson.exit, (report["reasons"], report["objectives"])
    assert lesson.because in decided_by(report)
    assert [left for effect in report["effects"] for left in effect["left_behind"]] == []
    if lesson.exit is not Exit.INVALID:
        assert all(effect["confirmed"] for effect in report["effects"])
        assert all(effect["exercised"]["count"] for effect in report["effects"])


def decided_by(report: dict[str, Any]) -> str:
    lines = [o["text"] for o in report["objectives"] if o["verdict"] == report["verdict"]]
    return "\n".join([*report["reasons"], *lines])
