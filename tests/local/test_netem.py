"""The contract of the rungs with the kernel's own netem, on a kernel that has it."""

from __future__ import annotations

import os
import sys

import pytest
import uml

pytestmark = pytest.mark.skipif(bool(uml.why_not()), reason=uml.why_not())


@pytest.mark.timeout(280)
@pytest.mark.parametrize("tests", ["test_links.py", "test_network_faults.py"])
def test_netem_is_a_rung_like_the_others(tests: str) -> None:
    done = uml.run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/local/{tests}",
        environment={"PATH": os.environ["PATH"], "HOME": "/run", "HARNESS_TEST_RUNGS": "netem"},
        within_s=270,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]
    assert " passed" in done.stdout
