"""The simulation finds every seeded bug, and every invariant is broken by one of them."""

import ast
from pathlib import Path

import pytest
from mutants import MUTANTS, bare

from harness import simulation
from harness.simulation.campaign import portion

#: Many times what the rarest of them needs, and always the same: seeds from 0 on.
SCHEDULES = 20_000
AT_A_TIME = 100


@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_found(name, monkeypatch):
    mutate, invariant = MUTANTS[name]
    bare(monkeypatch)
    mutate(monkeypatch.setattr)
    said = [""]
    for first in range(0, SCHEDULES, AT_A_TIME):
        said += [said for _, said in portion(first, AT_A_TIME).violations]
        if any(invariant in line for line in said):
            print(f"{name}: after {first + AT_A_TIME} schedules")
            return
    pytest.fail(f"nobody saw that {invariant!r} does not hold, but: {said[-1]}")


def test_every_invariant_is_broken_by_one_of_them():
    invariants = set()
    for path in Path(simulation.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hold":
                invariants.add(node.args[1].value)
    assert len(invariants) > 25
    assert invariants == {invariant for _, invariant in MUTANTS.values()}


def test_without_its_assertions_the_engine_is_as_good(monkeypatch):
    bare(monkeypatch)
    assert not portion(0, 1000).violations
