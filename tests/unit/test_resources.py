"""Samples of what services used, and how much more they had to send than in the baseline."""

import dataclasses

import pytest
from made_runs import EPOCH, effect, ends, evidence, life, ns, plan, steady, steps

from harness.measure.amplification import amplifications
from harness.measure.resources import Resources, resources_of
from harness.record.resources import FILE, Sample, line_of, read
from harness.report.beyond import amplifications_of
from harness.report.beyond import resources_of as resource_lines
from harness.report.findings import findings

MIB = 2**20


def sample(at, replica="database", memory=100 * MIB, answers=0, **given):
    service = replica.partition("-")[0]
    fields = {"processes": 1, "cpu": 0.5, "threads": 4, "files": 20, **given}
    return Sample(int(ns(at)), service, replica, memory=memory, answers=answers, **fields)


def sampled(*samples):
    return resources_of(samples, EPOCH)


def test_a_torn_last_line_is_not_there(tmp_path):
    lines = [line_of(sample(float(n))) for n in range(3)]
    (tmp_path / FILE).write_text("".join(lines)[:-20])
    assert read(tmp_path) == (sample(0.0), sample(1.0))


def test_nobody_sampled(tmp_path):
    assert read(tmp_path) == ()
    assert Resources().most("memory", "api", 0, 10) is None


def test_most_and_level_speak_of_the_replica_that_uses_most():
    found = sampled(
        *(sample(n, "api-0", memory=(50 + 100 * (n == 3)) * MIB) for n in range(10)),
        *(sample(n, "api-1", memory=60 * MIB) for n in range(10)),
    )
    assert found.most("memory", "api", 0, 9) == 150 * MIB
    assert found.level("memory", "api", 0, 9) == 60 * MIB
    assert found.level("memory", "api", 20, 30) is None


def test_answers_are_counted_between_samples():
    found = sampled(*(sample(n, answers=100 * n) for n in range(10)))
    assert found.answered("database", 1.5, 4.0) == pytest.approx(250)
    assert found.answered("database", -5.0, 4.0) is None
    assert found.answered("cache", 1.0, 2.0) is None


def test_where_nobody_could_count_there_is_no_number():
    found = sampled(*(sample(n, answers=None) for n in range(10)))
    assert found.answered("database", 1.0, 4.0) is None


def retrying(times):
    """200 requests a second; the database answers twice for each, `times` as often from 8 to 18."""

    def answers(second):
        extra = 400 * (times - 1) * min(max(second - 8, 0), 10)
        return round(400 * (second + 1) + extra)

    samples = [sample(n, answers=answers(n)) for n in range(-1, 31)]
    samples += [sample(n, "web", answers=0) for n in range(-1, 31)]
    planned = plan((), [effect()], duration=30.0)
    seen = evidence(steady(30), planned, steps(*life(), *ends()))
    return dataclasses.replace(seen, resources=sampled(*samples))


@pytest.mark.parametrize("times", [1.0, 3.0])
def test_amplification_is_against_the_baseline(times):
    (found,) = amplifications(retrying(times))
    assert (found.service, found.window) == ("database", "during slow-db")
    assert found.baseline == pytest.approx(2.0, rel=0.02)
    assert found.ratio == pytest.approx(times, rel=0.02)


def test_amplification_is_a_finding_once_it_is_no_chance():
    told = [findings((), (), amplifications_of(retrying(times)), ()) for times in (1.1, 3.0)]
    assert told[0] == ()
    assert told[1][0].says.startswith("Sent 6 messages for each request during slow-db, 2 in the")
    assert told[1][0].grave


def test_memory_that_stays_is_a_finding():
    seen = retrying(1.0)
    grown = [sample(n, memory=(100 + 90 * (n > 8)) * MIB, answers=n) for n in range(31)]
    lines = resource_lines(dataclasses.replace(seen, resources=sampled(*grown)))
    assert [line.window for line in lines] == ["baseline", "during slow-db", "after slow-db"]
    (found,) = findings((), (), (), lines)
    assert found.says == "database holds 190 MiB after slow-db, 100 MiB in the baseline."
