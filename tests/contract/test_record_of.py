"""From a run directory to every report: judged and measured from what is on disk alone."""

import json

import pytest
from click.testing import CliRunner
from sample_runs import EFFECT, make_run, whole_life

from harness.cli.report import find_run, report
from harness.errors import UsageError
from harness.record.directory import RunDirectory
from harness.report.record import record_of

LEFT = {"what": ["a relay holds port v-api-0"], "commands": ["kill 4711"]}


def until(name):
    """The steps of a whole life up to and with the first of this name."""
    steps = whole_life()
    return steps[: 1 + next(n for n, step in enumerate(steps) if step[1] == name)]


def test_a_run_that_held(tmp_path):
    record = record_of(make_run(tmp_path / "run"))
    assert (record.verdict, record.exit_status, record.reasons) == ("pass", 0, ())
    assert [o.verdict for o in record.objectives] == ["pass"] * 4
    assert [w.name for w in record.windows] == ["baseline", "during slow-db", "after slow-db"]
    assert record.load.due == record.load.sent == 7600
    [effect] = record.effects
    assert effect.confirmed
    assert (effect.injected_at_s, effect.inject_ms) == (8.012, 12.0)
    assert (effect.reverted_at_s, effect.revert_ms, effect.gone_at_s) == (23.008, 8.0, 23.3)
    assert effect.exercised.count == 3120
    [track] = effect.tracks
    assert track.field == "delay"
    assert track.seen[0] == pytest.approx((8.1, 9.0, 0.203))
    assert len(record.series.asked) == 38
    assert record.series.asked[0] == 200.0
    assert record.recoveries[0].says == "never impacted"


def test_failures_are_drawn_by_class_and_a_quantile_among_them_has_no_number(tmp_path):
    record = record_of(make_run(tmp_path / "run", failing=20))
    assert record.verdict == "fail"
    [(name, counts)] = record.series.errors
    assert (name, sum(counts)) == ("timeout", 149)
    assert record.windows[1].p99_ms == float("inf")
    assert max(record.series.p99_ms) == float("inf")


@pytest.mark.parametrize(
    ("steps", "verdict", "reason"),
    [
        (whole_life(confirmed=False), "invalid", "not confirmed"),
        (whole_life(exercised=0), "invalid", "not exercised"),
        (until("look"), "dirty", "nobody saw it taken back"),
        (until("gone"), "interrupted", "broke off"),
        (until("world.ready"), "interrupted", "broke off"),
        ([], "interrupted", "broke off"),
    ],
)
def test_what_ended_otherwise_says_why(tmp_path, steps, verdict, reason):
    record = record_of(make_run(tmp_path / "run", steps=steps))
    assert record.verdict == verdict
    assert reason in " ".join(record.reasons)


def test_what_was_left_behind_stands_with_its_commands_until_it_is_recovered(tmp_path):
    steps = [*until("reverted"), (25.0, "left_behind", EFFECT, LEFT), (26.0, "run.ended", "", {})]
    record = record_of(make_run(tmp_path / "dirty", steps=steps))
    assert record.effects[0].left_behind == ("a relay holds port v-api-0",)
    assert record.by_hand == (f"harness recover {tmp_path}/dirty", "kill 4711")
    recovered = [*steps, (90.0, "recovered", EFFECT, {})]
    assert record_of(make_run(tmp_path / "clean", steps=recovered)).by_hand == ()


def test_without_objectives_it_explores(tmp_path):
    record = record_of(make_run(tmp_path / "run", objectives=()))
    assert record.explored
    assert record.exit_status == 0


# ---------------------------------------------------------------- harness report


def test_report_renders_an_old_run_and_exits_0_whatever_its_verdict(tmp_path):
    make_run(tmp_path / "run", failing=20)
    page = tmp_path / "own.html"
    given = ["run", "--reports", str(tmp_path), "--output", "json", "--output", f"html={page}"]
    done = CliRunner().invoke(report, given, catch_exceptions=False)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["verdict"] == "fail"
    assert "<h1>" in page.read_text()
    assert (tmp_path / "run" / "report.html").read_bytes() == page.read_bytes()


def test_report_finds_a_run_by_path_id_or_last(tmp_path):
    path = make_run(tmp_path / "run").path
    (tmp_path / "last").symlink_to("run")
    found = [find_run(name, tmp_path) for name in (str(path), "run", "last")]
    assert {directory.path for directory in found} == {path}
    assert isinstance(found[0], RunDirectory)


def test_report_says_which_runs_there_are(tmp_path):
    make_run(tmp_path / "one")
    with pytest.raises(UsageError) as refused:
        find_run("two", tmp_path)
    assert "one" in refused.value.hint
