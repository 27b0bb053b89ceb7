"""The table by request name and by tag."""

import dataclasses
import math

import numpy as np
import pytest
from made_runs import effect, ends, evidence, failing, life, plan, rows, steady, steps

from harness.load.recording import Flag, Outcome
from harness.measure.names import MOST, names_table
from harness.measure.statistics import quantile


def seen(made, names=("browse", "pay"), tags=()):
    planned = plan((), [effect()], duration=30.0)
    found = evidence(made, planned, steps(*life(), *ends()), names=names)
    return dataclasses.replace(found, tags=tags)


def of(table, window, name):
    return next(line for line in table if (line.window, line.name) == (window, name))


def test_each_name_in_each_window():
    due = np.arange(6000) / 200
    took = 0.01 + 0.02 * np.random.default_rng(1).random(6000)
    made = rows(due, took, name=(np.arange(6000) % 4 == 0).astype(int))
    made["outcome"][(made["name"] == 1) & (due >= 10) & (due < 12)] = Outcome.STATUS
    table = names_table(seen(made))
    assert {line.window for line in table} == {"baseline", "during slow-db", "after slow-db"}
    pay = of(table, "during slow-db", "pay")
    assert (pay.count, pay.availability) == (501, pytest.approx(401 / 501))
    assert pay.throughput == pytest.approx(50, rel=0.01)
    assert pay.goodput == pytest.approx(40, rel=0.01)
    assert math.isinf(pay.p99_ms)
    browse = of(table, "baseline", "browse")
    mine = took[(made["name"] == 0) & (due + took < 8)]
    assert browse.p99_ms == pytest.approx(quantile(mine, 0.99) * 1e3, rel=0.001)


def test_one_name_needs_no_table():
    assert names_table(seen(steady(30))) == ()


def test_a_tag_counts_journeys():
    journeys = failing(steady(30), 10.0, 12.0)
    journeys["flags"], journeys["name"] = Flag.JOURNEY, 2
    made = np.concatenate([steady(30), journeys])
    table = names_table(
        seen(made, ("browse", "pay", "Shopper.pay"), (("money", frozenset({"Shopper.pay"})),))
    )
    found = of(table, "during slow-db", "money")
    assert (found.kind, found.count) == ("tag", pytest.approx(2001, abs=2))
    assert found.goodput == pytest.approx(160, rel=0.01)


def test_names_without_end_have_no_line_each():
    made = rows(np.arange(6000) / 200, np.full(6000, 0.01), name=np.arange(6000) % 500)
    table = names_table(seen(made, tuple(f"/item/{n}" for n in range(500))))
    assert len({line.name for line in table}) == MOST
