"""Runs of another version in the index: they never stop a new one, and are not called clean."""

import json

import pytest

from harness.errors import UsageError
from harness.record.directory import RunDirectory
from harness.record.journal import Journal
from harness.run.recover import recover_run


def of_another_version(tmp_path, substrate):
    plan = {"substrate": substrate, "effects": [], "a_field_of_tomorrow": 1}
    (tmp_path / "plan.json").write_text(json.dumps(plan, indent=1))
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("injecting", "slow/api-0")
    journal.close()
    return RunDirectory(tmp_path)


def test_an_unreadable_plan_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="cannot be read here"):
        of_another_version(tmp_path, "local").plan()


def test_what_lived_in_a_world_ended_with_it(tmp_path):
    assert not recover_run(of_another_version(tmp_path, "local"), alive=False).left


def test_what_lived_elsewhere_is_not_called_clean(tmp_path):
    assert recover_run(of_another_version(tmp_path, "attached"), alive=False).left
