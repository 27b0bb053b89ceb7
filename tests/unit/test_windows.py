"""Which requests are in which window."""

import numpy as np
import pytest
from made_runs import acted, effect, ends, evidence, failing, life, plan, rows, steady, steps

SLOW = effect()
KILL = effect("kill/api-0", at=8.0, lasts=0.0, event=True)


def cut(made, effects, told, duration=30.0, objectives=()):
    return evidence(made, plan(objectives, effects, duration=duration), told)


def named(seen):
    return {w.name: w for w in seen.windows.all}


def test_lives_are_cut_by_a_condition():
    #             warm-up  baseline  into it  in it  out of it  at its end  after
    due = np.array([-0.1, 1.0, 7.9, 9.0, 17.9, 18.0, 18.1])
    took = np.array([0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.1])
    seen = cut(rows(due, took), [SLOW], steps(*life(), *ends()))
    windows = named(seen)

    def of(name):
        return [round(t, 1) for t in windows[name].choose(seen.observation.requests).due]

    assert of("baseline") == [1.0]
    assert of("during slow-db") == [7.9, 9.0, 17.9, 18.0]
    assert of("after slow-db") == [18.0, 18.1]
    whole = seen.windows.whole
    assert whole.name == "from the first fault"
    assert list(whole.choose(seen.observation.requests).due.round(1)) == [
        7.9,
        9.0,
        17.9,
        18.0,
        18.1,
    ]


def test_spans_are_of_what_happened_not_of_what_was_planned():
    windows = named(cut(steady(30), [SLOW], steps(*life(begun=8.4, gone=19.3), *ends())))
    assert (windows["baseline"].start_s, windows["baseline"].end_s) == (0.0, 8.4)
    assert windows["during slow-db"].end_s == 19.3
    assert windows["after slow-db"].end_s == 30.0


def test_several_effects_begin_with_the_first_and_go_with_the_last():
    two = [effect("slow/api-0"), effect("slow/api-1")]
    told = steps(*life("slow/api-0", 8.0, 18.0), *life("slow/api-1", 8.2, 18.9), *ends())
    passage = cut(steady(30), two, told).windows.passages[0]
    assert (passage.begun, passage.injected, passage.witnessed) == (8.0, 8.21, 9.2)
    assert (passage.reverting, passage.gone) == (17.5, 18.9)


def test_without_faults_there_is_the_whole_run():
    seen = cut(steady(30), [], steps(*ends()))
    assert [w.name for w in seen.windows.all] == ["whole run"]
    assert len(seen.windows.whole.choose(seen.observation.requests)) == 6000
    assert len(seen.windows.baseline.choose(seen.observation.requests)) == 6000


def test_an_event_lasts_until_the_recovery_was_seen_to_hold():
    windows = named(cut(failing(steady(30), 8.0, 10.0), [KILL], steps(*acted(), *ends())))
    assert windows["during kill"].start_s == 8.0
    assert windows["during kill"].end_s == pytest.approx(15.0, abs=0.01)
    assert windows["after kill"].start_s == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("until", [8.0, 29.0])
def test_an_event_that_nobody_felt_or_recovered_from_lasts_to_the_end(until):
    windows = named(cut(failing(steady(30), 8.0, until), [KILL], steps(*acted(), *ends())))
    assert windows["during kill"].end_s == 30.0
    assert ("after kill" in windows) == (until == 8.0)


def test_a_recovery_ends_where_the_next_fault_begins():
    effects = [KILL, effect("slow-db/api-0", at=20.0)]
    made = failing(failing(steady(40), 8.0, 9.0), 20.0, 30.0)
    told = steps(*acted(), *life(begun=20.0, gone=30.0), *ends(40.5))
    seen = cut(made, effects, told, duration=40.0)
    after = {r.intervention: r for r in seen.windows.recoveries if not r.while_on}
    assert after["kill"].took_s == pytest.approx(1.0, abs=0.01)
    assert after["kill"].until_s == 20.0
    assert after["slow-db"].took_s == pytest.approx(0.0, abs=0.01)


def test_what_never_went_is_during_to_the_end():
    told = [t for t in life() if t[1] not in ("gone", "judged", "exercised")]
    windows = named(cut(steady(30), [SLOW], steps(*told, *ends())))
    assert windows["during slow-db"].end_s == 30.0
    assert "after slow-db" not in windows


def test_a_run_that_was_cut_short_ends_with_its_last_request():
    told = steps(*life(gone=12.0), (11.0, "abort", {"by": "guard", "reason": ""}), *ends(13.0))
    assert cut(steady(12.3), [SLOW], told).windows.end_s == pytest.approx(12.295)


def test_what_never_began_has_no_window():
    seen = cut(steady(30), [SLOW], steps(*ends()), objectives=["p99 < 1s during slow-db"])
    assert seen.windows.of(seen.plan.objectives[0]) == ()
