"""Which shots a selftest takes, and what its report makes of them."""

import io
import json
import random
from dataclasses import replace

import pytest

from harness.errors import Exit
from harness.selftest.cells import cells_of, full, quick
from harness.selftest.report import Report, as_json, as_text, from_json
from harness.selftest.results import Cell, Shot
from harness.selftest.steps import ORDER
from harness.selftest.victims import VICTIMS

FAULTS = ("network.latency", "process.pause", "service.restart")
SEEN = tuple((step, tuple(VICTIMS)) for step in ORDER)
REHEARSALS = tuple(Shot(Cell("local", f, "", ""), hit=1, seen=SEEN) for f in FAULTS)
CELLS = cells_of(REHEARSALS)


def test_every_fault_at_every_step_with_every_victim():
    assert len(CELLS) == len(set(CELLS)) == len(FAULTS) * len(ORDER) * len(VICTIMS)
    taken = full(CELLS, random.Random(1))
    assert set(CELLS) < set(taken)
    assert all(0 < cell.delay_s < 1 for cell in taken if cell not in CELLS)


@pytest.mark.parametrize("how_many", [1, 60])
def test_a_sample_covers_each_fault_step_and_victim(how_many):
    taken = quick(CELLS, how_many, random.Random(1))
    assert {cell.fault for cell in taken} == set(FAULTS)
    assert {cell.step for cell in taken} == set(ORDER)
    assert {cell.victim for cell in taken} == set(VICTIMS)
    assert how_many <= len(taken) <= max(how_many, len(ORDER) + 5)
    assert taken == quick(CELLS, how_many, random.Random(1)) != quick(CELLS, 60, random.Random(2))


def report(*shots):
    return Report(7, 1.0, 2.0, len(CELLS), REHEARSALS, shots, ())


GOOD = Shot(CELLS[0], hit=1, by="agent", effect_s=0.5, over_s=1.0)


@pytest.mark.parametrize(
    ("shot", "status"),
    [
        (GOOD, Exit.PASS),
        (replace(GOOD, left=("process 7",)), Exit.LEFT_BEHIND),
        (replace(GOOD, wrong=("injecting after an abort",)), Exit.LEFT_BEHIND),
        (replace(GOOD, hit=0), Exit.INVALID),
    ],
)
def test_what_it_comes_to(shot, status):
    assert report(GOOD, shot).exit_status is status
    out = io.StringIO()
    as_text(report(GOOD, shot), out)
    assert max(map(len, out.getvalue().splitlines())) <= 80
    for words in (*shot.left, *shot.wrong):
        assert words in out.getvalue()
    out = io.StringIO()
    as_json(report(GOOD, shot), out)
    data = json.loads(out.getvalue())
    assert data["exit_status"] == status
    assert data["kills"] == 1 + bool(shot.hit)


def test_a_report_can_be_gone_on_from():
    out = io.StringIO()
    before = replace(report(GOOD), interrupted=True, not_offered=(("node.down", "local", "why"),))
    as_json(before, out)
    assert from_json(out.getvalue()) == before
    with pytest.raises(ValueError, match="seed"):
        from_json("{}")


def test_nothing_taken_is_no_proof():
    assert report().exit_status is Exit.INVALID
