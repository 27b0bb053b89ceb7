"""ReliabilityTargets and OpenSLO files, as an experiment includes them."""

from pathlib import Path

import pytest
from made_runs import ends, evidence, failing, plan, steady, steps

from harness.errors import InvalidFile
from harness.experiment.event_filter import Filter, read_filter
from harness.experiment.targets_file import SHIPPED, load_targets
from harness.experiment.tokens import MisreadError
from harness.verdict import judge

ENTERPRISE = SHIPPED / "enterprise.yaml"


def test_the_eight_targets_of_an_enterprise():
    found = load_targets(ENTERPRISE)
    assert {name: line.text.split(" (")[0] for name, line in found.items()} == {
        "availability": "availability >= 99.999% baseline at 95%",
        "durability": "durability >= 99.999999999%",
        "latency": "p99 < 100ms baseline at 95%",
        "errors": "errors < 0.01% baseline at 95%",
        "detection": "detection < 1min",
        "rollback": "rollback < 30s",
        "restore": "rto < 1h",
        "failover": "failover < 5min",
    }
    assert found["restore"].text == "rto < 1h (enterprise restore)"


def test_each_has_an_honest_verdict():
    """300,000 clean requests: three are proven, five are not pretended to be."""
    lines = tuple(load_targets(ENTERPRISE).values())
    seen = evidence(steady(30, rate=10_000), plan(lines), steps(*ends()))
    verdicts = {
        line.indicator: judge(line, seen.observation, seen.windows)[0].verdict for line in lines
    }
    assert verdicts == {
        "availability": "pass", "latency": "pass", "errors": "pass", "durability": "inconclusive",
        "detection": "inconclusive", "rollback": "inconclusive", "rto": "inconclusive",
        "failover": "inconclusive",
    }  # fmt: skip


# ---------------------------------------------------------------- OpenSLO

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: api-latency-p99
  annotations: {%(annotations)s}
spec:
  service: api
  budgetingMethod: %(method)s
  timeWindow: [{duration: 30d, isRolling: true}]      # business window
  indicator:
    metadata: {name: fast-requests}
    spec:
      %(metric)s
  objectives: [{%(objective)s}]
"""
RATIO = (
    "ratioMetric: {counter: true, good: {metricSource: {type: LoadEvents, spec: {filter: '%s'}}}, "
    "total: {metricSource: {type: LoadEvents, spec: {filter: '%s'}}}}"
)
THRESHOLD = "thresholdMetric: {metricSource: {type: LoadEvents, spec: {indicator: %s}}}"
FAST = RATIO % ("ok and latency_ms < 100", "all")


def slo(
    tmp_path: Path, metric=FAST, objective="target: 0.99", method="Occurrences", annotations=""
):
    path = tmp_path / "slo.yaml"
    path.write_text(SLO % locals())
    (found,) = load_targets(path).values()
    return found


def test_the_example_of_the_facts(tmp_path):
    ours = (
        'ourtool.dev/phase: "fault", ourtool.dev/confidence: "0.95", '
        'ourtool.dev/stability-window: "10s"'
    )
    found = slo(tmp_path, objective="displayName: P99, target: 0.99", annotations=ours)
    assert (found.indicator, found.op, found.limit, found.quantile) == ("latency", "<", 0.1, 0.99)
    assert (found.window, found.confidence, found.stable_s) == ("during", 0.0, 10.0)
    assert found.text == "p99 < 100ms during (api-latency-p99)"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"metric": RATIO % ("ok", "all"), "objective": "target: 0.99999"},
         "availability >= 99.999%"),
        ({"metric": RATIO % ("ok", "name == pay"), "objective": "targetPercent: 99.9"},
         "availability(pay) >= 99.9%"),
        ({"metric": (RATIO % ("not ok", "all")).replace("good:", "bad:")}, "availability >= 99%"),
        ({"metric": (RATIO % ("not ok or latency_ms >= 100", "all")).replace("good:", "bad:")},
         "p99 < 100ms"),
        ({"annotations": "a/phase: baseline, b/confidence: 95%, c/other: x"},
         "p99 < 100ms baseline at 95%"),
        ({"metric": THRESHOLD % "latency_ms", "objective": "target: 0.95, op: lte, value: 200"},
         "p95 <= 200ms"),
        ({"metric": THRESHOLD % "recovery", "objective": "target: 0.95, op: lt, value: 30",
          "annotations": "a/phase: fault"}, "recovery < 30s after"),
        ({"metric": THRESHOLD % "rto", "objective": "target: 0.95, op: lt, value: 3600"},
         "rto < 60min"),
        ({"method": "Timeslices", "objective":
          "target: 0.95, timeSliceTarget: 0.98, timeSliceWindow: 5m"},
         "p98 < 100ms in 95% of slices of 5min"),
        ({"method": "RatioTimeslices", "metric": RATIO % ("ok", "all"),
          "objective": "target: 0.95, timeSliceWindow: 0.1"},
         "availability >= 95% on the average of slices of 6s"),
    ],
)  # fmt: skip
def test_what_it_says_as_a_line(tmp_path, given, text):
    assert slo(tmp_path, **given).text == f"{text} (api-latency-p99)"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"metric": RATIO % ("latency_ms < 100", "all")}, "a failure is never quick"),
        ({"metric": RATIO % ("ok or latency_ms < 100", "all")}, "a failure is never quick"),
        ({"metric": RATIO % ("ok and latency_ms > 100", "all")}, "the wrong way round"),
        ({"metric": RATIO % ("ok", "ok")}, "the total is all requests"),
        ({"metric": RATIO % ("ok and name == pay", "all")}, "some of the total"),
        ({"metric": RATIO % ("ok and ", "all")}, "a filter is"),
        ({"metric": RATIO % ("ok", "every")}, "a filter is"),
        ({"metric": FAST.replace("LoadEvents", "Prometheus")}, "does not ask Prometheus"),
        ({"metric": FAST.replace("total", "totl")}, "no key 'totl'"),
        ({"metric": THRESHOLD % "latency"}, "nothing of 'latency'"),
        ({"metric": THRESHOLD % "latency_ms"}, "needs op"),
        ({"metric": THRESHOLD % "latency_ms", "objective": "target: 0.9, op: gt, value: 3"},
         "good when lower"),
        ({"objective": "target: 1.0"}, "knows no target of 1"),
        ({"objective": "target: 0.9, targetPercent: 90"}, "either target or targetPercent"),
        ({"objective": "target: 0.9, value: 3"}, "for a thresholdMetric"),
        ({"objective": "target: high"}, "target is a number"),
        ({"objective": "target: 0.9", "method": "Timeslices"}, "needs timeSlice"),
        ({"objective": "target: 0.9, timeSliceWindow: 30s", "method": "RatioTimeslices"},
         "no length of a slice"),
        ({"method": "Occurences"}, "budgetingMethod is Occurrences or"),
        ({"annotations": "a/phase: falt"}, "a phase is one of"),
        ({"annotations": "a/confidence: '2'"}, "out of range"),
        ({"annotations": "a/stability-window: '10'"}, "no unit"),
    ],
)  # fmt: skip
def test_it_is_read_strictly(tmp_path, given, says):
    with pytest.raises(InvalidFile) as caught:
        slo(tmp_path, **given)
    assert says in str(caught.value)
    assert all(problem.line > 1 for problem in caught.value.problems)


def test_filters():
    assert read_filter('not  ok or name == "GET /x"') == Filter("not ok", name="GET /x", join="or")
    for text, offset in (("", 0), ("ok and", 6), ("ok nor ok", 3), ("ok and ok", 6),
                         ("all and ok", 0), ("ok and name == a or all", 17)):  # fmt: skip
        with pytest.raises(MisreadError) as caught:
            read_filter(text)
        assert caught.value.offset == offset, text


# ---------------------------------------------------------------- slices, judged


def sliced(tmp_path, made, objective, method="Timeslices", metric=RATIO % ("ok", "all")):
    line = slo(tmp_path, metric=metric, objective=objective, method=method)
    seen = evidence(made, plan([line]), steps(*ends()))
    (found,) = judge(line, seen.observation, seen.windows)
    return found


TWO_SECONDS = "target: %s, timeSliceTarget: 0.9, timeSliceWindow: 0.033333333333333333"


def test_slices_of_time(tmp_path):
    """Two bad seconds of thirty make one bad slice of fifteen."""
    made = failing(steady(30), 10.0, 12.0)
    found = sliced(tmp_path, made, TWO_SECONDS % 0.9)
    assert (found.verdict, found.good, found.count, found.unit) == ("pass", 14, 15, "share")
    assert found.says == "14 of 15 slices of 2 s were good."
    assert sliced(tmp_path, failing(made, 20.0, 22.0), TWO_SECONDS % 0.9).verdict == "fail"
    few = sliced(tmp_path, made, TWO_SECONDS % 0.95)
    assert (few.verdict, few.needed) == ("inconclusive", 5)


def test_the_average_of_slices(tmp_path):
    made = failing(steady(30), 10.0, 12.0)
    slices = "target: %s, timeSliceWindow: 0.0333333333333333"
    found = sliced(tmp_path, made, slices % 0.9, "RatioTimeslices")
    assert (found.verdict, found.value) == ("pass", pytest.approx(14 / 15))
    assert sliced(tmp_path, made, slices % 0.95, "RatioTimeslices").verdict == "fail"


def test_a_window_without_a_whole_slice(tmp_path):
    found = sliced(tmp_path, steady(30), "target: 0.9, timeSliceTarget: 0.9, timeSliceWindow: 1m")
    assert (found.verdict, found.says) == (
        "inconclusive", "A window of 30 s holds no slice of 60 s.",
    )  # fmt: skip
