"""Runs of another version in the index: they never stop a new one, and are not called clean."""

import json

import pytest

from harness.errors import Refused, UsageError
from harness.record.directory import RunDirectory
from harness.record.journal import Journal
from harness.run import state
from harness.run.recover import clear, recover_run


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


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A dead run of another version in the index, on the pod shop/api-0."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    directory = of_another_version(tmp_path, "kubernetes")
    plan = json.loads((tmp_path / "plan.json").read_text())
    plan["effects"] = [{"resource": {"type": "OfTomorrow", "target": "pod/shop/api-0"}}]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    state.enter("old", "old", tmp_path, "kubernetes")
    entry = tmp_path / "state/harness/runs/old.json"
    entry.write_text(json.dumps({**json.loads(entry.read_text()), "pid": 1, "start": 1}))
    return directory


def test_a_run_on_another_target_goes_on_and_it_is_told(known, caplog):
    clear(("link of pod/shop/api-1 (pod:u1)",))
    assert "is passed over: its plan cannot be read here" in caplog.text


def test_a_run_on_the_same_target_is_refused(known):
    with pytest.raises(Refused, match="left something on what this run would change"):
        clear(("link of pod/shop/api-0 (pod:u0)",))


def test_a_plan_that_nobody_finished_stops_nothing(known):
    (known.path / "plan.json").write_text('{"substrate": "kuber')
    clear(("link of pod/shop/api-0 (pod:u0)",))
