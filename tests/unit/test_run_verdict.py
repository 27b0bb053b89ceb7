"""The verdict of whole runs, from their journals and recordings on disk."""

import numpy as np
import pytest
from made_runs import (
    EPOCH,
    acted,
    effect,
    ends,
    evidence,
    failing,
    frozen,
    life,
    ns,
    plan,
    rows,
    steady,
    steps,
)

from harness.errors import Exit
from harness.experiment.objectives import read_objective
from harness.load.recorder import Recorder
from harness.load.recording import Flag, Outcome
from harness.measure.summary import load_summary, series, windows_table
from harness.record import journal
from harness.record.directory import Facts, RunDirectory
from harness.verdict import judge_evidence, judge_run

SLOW = effect()
HOLDS = ["availability >= 99% during slow-db"]


def verdict(*told, made=None, objectives=HOLDS, effects=(SLOW,), load=True):
    made = steady(30) if made is None else made
    return judge_evidence(evidence(made, plan(objectives, effects, load=load), steps(*told)))


def words(*told, **given):
    found = verdict(*told, **given)
    return found.verdict, int(found.exit_status), found.reasons


def test_pass_fail_inconclusive():
    assert words(*life(), *ends()) == ("pass", 0, ())
    bad = failing(steady(30), 9.0, 17.0)
    assert words(*life(), *ends(), made=bad) == ("fail", 1, ())
    few = ["availability >= 99.99% during slow-db"]
    assert words(*life(), *ends(), objectives=few) == ("inconclusive", 3, ())
    both = [*few, "p99 < 1ms during slow-db"]
    assert words(*life(), *ends(), objectives=both)[0] == "fail"


def test_a_warning_never_fails():
    line = read_objective("p99 < 1ms", severity="warn")
    found = verdict(*life(), *ends(), objectives=[line])
    assert (found.verdict, found.judgements[0].verdict) == ("pass", "fail")


def test_exploring_has_no_judgements_and_passes():
    found = verdict(*life(), *ends(), objectives=[])
    assert (found.verdict, found.exit_status, found.judgements) == ("pass", Exit.PASS, ())


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (life(confirmed=False), "slow-db/api-0 was not confirmed: delay asked 200 ms, seen 0.4 ms"),
        (life(count=0), "slow-db/api-0 was not exercised: none of the system's own packets met it"),
        (
            [t for t in life() if t[1] != "judged"],
            "slow-db/api-0 was not confirmed: its witness never told what it saw",
        ),
        (
            [t for t in life() if t[1] != "exercised"],
            "slow-db/api-0 was not exercised: nobody counted the system's own traffic",
        ),
        ([], "slow-db/api-0 was never injected"),
    ],
)
def test_an_effect_that_was_not_there_makes_the_run_invalid(told, reason):
    """Even, and above all, when every objective failed."""
    made = failing(steady(30), 9.0, 17.0)
    assert words(*told, *ends(), made=made) == ("invalid", 6, (reason,))
    assert words(*told, *ends(), objectives=[]) == ("invalid", 6, (reason,))


def test_one_of_two_targets_is_not_enough():
    effects = [effect("slow-db/api-0"), effect("slow-db/api-1")]
    told = (*life("slow-db/api-0"), *life("slow-db/api-1", confirmed=False))
    found = verdict(*told, *ends(), effects=effects)
    assert found.verdict == "invalid"
    assert [r.split()[0] for r in found.reasons] == ["slow-db/api-1"]


@pytest.mark.parametrize(
    ("made", "ended", "reason"),
    [
        (steady(30), {"died": ["worker 1 was killed"]}, "load died: worker 1 was killed"),
        (
            steady(30),
            {"dropped": 3},
            (
                "generator overloaded: 3 arrivals were dropped, not sent; it was on time in 30 of "
                "30 s, so something else disturbed it"
            ),
        ),
        (
            failing(steady(30), 1.0, 1.01, Outcome.DROPPED),
            {},
            (
                "generator overloaded: 2 arrivals were dropped, not sent; it was on time in 30 of "
                "30 s, so something else disturbed it"
            ),
        ),
    ],
)
def test_a_generator_that_did_not_keep_up_makes_the_run_invalid(made, ended, reason):
    assert words(*life(), *ends(**ended), made=made) == ("invalid", 6, (reason,))


def test_late_is_measured_against_the_strictest_latency_limit():
    slow_sender = rows(steady_due(), 0.1, late=0.03)
    limits = ["p99 < 250ms baseline", "p99 < 900ms during slow-db"]
    found = words(*life(), *ends(), made=slow_sender, objectives=limits)
    assert found == (
        "invalid",
        6,
        (
            (
                "generator late: P99 of sending was 30 ms after due, 25 ms allowed; this machine "
                "could have held about 150/s"
            ),
        ),
    )
    assert words(*life(), *ends(), made=slow_sender)[0] == "pass"


def steady_due():
    return (steady(30)["intended"] - EPOCH.mono_ns) / 1e9


def test_what_a_task_does_before_its_first_request_is_not_the_generators():
    thinking = rows(steady_due(), 0.6, late=0.5)
    on_time = rows(steady_due(), 0.6, flags=Flag.JOURNEY, late=0.001)
    both = np.concatenate([thinking, on_time])
    assert words(*life(), *ends(), made=both, objectives=["p99 < 1s"])[0] == "pass"


def test_later_requests_of_a_task_are_not_late():
    made = rows(steady_due(), 0.1, late=0.5, flags=0)
    assert words(*life(), *ends(), made=made)[0] == "pass"


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("baseline", ("invalid", 6, "baseline broken: why")),
        ("blind", ("invalid", 6, "measurement lost: why")),
        ("lease", ("invalid", 6, "lease lost: why")),
        ("guard", ("fail", 1, "the guard aborted at 9.0 s: why")),
        ("person", ("interrupted", 4, "interrupted at 9.0 s: why")),
        ("internal", ("error", 70, "why")),
        ("world", ("invalid", 6, "aborted: why")),
    ],
)
def test_aborts(by, said):
    told = (*life(gone=10.0), (9.0, "abort", {"by": by, "reason": "why"}), *ends(11.0))
    word, status, reason = said
    assert words(*told, made=steady(10)) == (word, status, (reason,))


def test_an_interrupted_run_judges_nothing():
    told = (*life(gone=10.0), (9.0, "abort", {"by": "person", "reason": "SIGINT"}), *ends(11.0))
    assert verdict(*told, made=steady(10)).judgements == ()


def test_an_effect_that_cannot_be_made_is_invalid_not_an_error():
    told = (
        (8.0, "failed", SLOW.id, {"doing": "TakeSnapshot", "reason": "no"}),
        (8.1, "abort", {"by": "internal", "reason": f"{SLOW.id}: no"}),
        *ends(9.0),
    )
    assert words(*told, made=steady(8)) == ("invalid", 6, (f"aborted: {SLOW.id}: no",))


def test_a_system_that_never_came_up_is_invalid():
    told = (
        (-5.0, "run.started"),
        (-1.0, "abort", {"by": "world", "reason": "api-0 not ready"}),
        (-0.9, "run.ended"),
    )
    assert words(*told, made=rows([], []))[:2] == ("invalid", 6)


def test_what_is_left_behind_outranks_everything():
    told = [t for t in life(confirmed=False) if t[1] != "gone"]
    left = (18.0, "left_behind", SLOW.id, {"what": ["port is out of the bridge"]})
    person = (9.0, "abort", {"by": "person", "reason": "SIGINT"})
    found = words(*told, left, person, *ends())
    assert found[:2] == ("dirty", 5)
    assert found[2][0] == "slow-db/api-0 could not be taken back: port is out of the bridge"
    mended = (40.0, "recovered", SLOW.id)
    assert words(*told, left, person, mended, *ends())[:2] == ("interrupted", 4)


def test_a_run_that_broke_off():
    on = life()[:3]
    assert words(*on) == (
        "dirty",
        5,
        (
            "slow-db/api-0 was on when the run broke off; nobody saw it taken back",
            "the run broke off: its journal has no end",
            "slow-db/api-0 was not confirmed: its witness never told what it saw",
            "slow-db/api-0 was not exercised: nobody counted the system's own traffic",
        ),
    )
    assert words(*on, (60.0, "recovered", SLOW.id))[:2] == ("interrupted", 4)


def test_what_prepare_made_must_go_but_is_no_fault():
    intercept = effect("intercept/api-0", prepare=True)
    made = ((-2.0, "injecting", intercept.id), (-1.9, "injected", intercept.id))
    gone = (30.0, "gone", intercept.id)
    given = {"effects": (intercept, SLOW)}
    assert words(*made, *life(), gone, *ends(), **given) == ("pass", 0, ())
    assert words(*made, *life(), *ends(), **given)[:2] == ("dirty", 5)


def test_an_event_has_nothing_to_take_back():
    kill = effect("kill/api-0", event=True, lasts=0.0)
    lines = ["recovery < 5s after kill"]
    assert words(*acted(), *ends(), effects=[kill], objectives=lines) == ("pass", 0, ())


def test_without_load_only_the_effects_count():
    made = rows([], [])
    assert words(*life(), *ends(), made=made, load=False, objectives=[]) == ("pass", 0, ())


# ---------------------------------------------------------------- from a directory


def written(tmp_path, made, told, objectives, effects=(SLOW,), torn=b""):
    directory = RunDirectory(tmp_path)
    directory.write_plan(plan(objectives, effects))
    directory.write_facts(Facts(EPOCH, "", {}, {}))
    directory.journal.write_bytes(journal.encoded(told))
    for worker in (0, 1):
        _record(tmp_path, worker, made[worker::2], torn)
    return directory


def _record(path, worker, made, torn):
    book = Recorder(path, worker)
    for row in made.tolist():
        intended, started, ended, size, arrival, name, status, _, outcome, flags = row
        told = {"outcome": outcome, "flags": flags, "arrival": arrival, "status": status}
        book.add(("browse", "pay")[name], intended, started, ended, size=size, **told)
    book.close()
    with (path / f"recording.{worker}.bin").open("ab") as file:
        file.write(torn)


def test_a_run_directory_is_all_it_takes(tmp_path):
    told = steps(*life(), *ends())
    directory = written(tmp_path, frozen(30, begin=10.0), told, HOLDS, torn=b"torn row")
    found = judge_run(directory)
    assert (found.verdict, found.judgements[0].count) == ("pass", 2001)
    anew = judge_run(directory, (read_objective("p99 < 250ms during slow-db"),))
    assert (anew.verdict, round(anew.judgements[0].value, 6)) == ("fail", 1.9)


# ---------------------------------------------------------------- summary


def test_the_summary_tells_the_same_story():
    made = failing(frozen(30, begin=12.0), 20.0, 21.0, Outcome.REFUSED)
    seen = evidence(made, plan(HOLDS, [SLOW]), steps(*life(), *ends(due=6000, sent=6000)))
    table = windows_table(seen)
    assert [(w.name, w.count) for w in table] == [
        ("baseline", 1600),
        ("during slow-db", 2001),
        ("after slow-db", 2400),
    ]
    assert table[0].p99_ms == 0.0
    assert table[1].p99_ms == pytest.approx(1900, abs=1)
    assert (table[2].availability, table[2].p99_ms) == (pytest.approx(11 / 12), None)

    curve = series(seen)
    assert len(curve.asked) == len(curve.p99_ms) == 30
    assert set(curve.asked) == {200.0}
    assert (curve.reached[12], curve.reached[14], curve.reached[20]) == (0.0, 600.0, 0.0)
    assert curve.p99_ms[12] == pytest.approx(1990)
    assert curve.p99_ms[20] is None
    assert curve.errors == (("refused", tuple(200 if i == 20 else 0 for i in range(30))),)

    load = load_summary(seen)
    assert (load.due, load.sent, load.dropped, load.late_p99_ms) == (6000, 6000, 0, 0.0)
    assert load.rate == pytest.approx(200)


def test_a_late_answer_is_drawn_as_a_timeout():
    seen = evidence(frozen(30), plan([]), steps(*ends()), timeout_s=1.0)
    assert series(seen).errors == (("timeout", tuple(200 if i == 8 else 0 for i in range(30))),)


def test_series_of_nothing():
    curve = series(evidence(rows([], []), plan([]), steps(*ends())))
    assert (curve.asked[0], curve.p50_ms[0], curve.errors) == (0.0, None, ())


def test_marks_and_dropped_rows_are_no_requests():
    made = rows([1.0, 2.0, 3.0], 0.1)
    made["flags"] = [Flag.FIRST, Flag.FIRST | Flag.UNJUDGED, Flag.JOURNEY]
    seen = evidence(made, plan([]), steps(*ends()))
    assert (len(seen.observation.requests), len(seen.observation.journeys)) == (1, 1)
    assert list(seen.observation.requests.due) == [1.0]
    assert ns(1.0) == made["intended"][0]


def test_a_load_that_does_not_start_is_invalid():
    told = (
        (-1.0, "abort", {"by": "internal", "reason": "shopper.py: no users"}),
        (0.0, "run.ended"),
    )
    assert words(*told, made=rows([], [])) == ("invalid", 6, ("aborted: shopper.py: no users",))
