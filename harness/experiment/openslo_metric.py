"""What an OpenSLO indicator measures: a ratio of requests, or a value with a threshold.

`metricSource: {type: LoadEvents}` is the only source: the requests of the experiment's own load.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.experiment import codes, openslo_shapes
from harness.experiment.event_filter import Filter, read_filter
from harness.experiment.fields import Fields
from harness.experiment.indicators import ELSEWHERE
from harness.experiment.model import Objective
from harness.experiment.problems import did_you_mean
from harness.experiment.shapes import Shape
from harness.experiment.tokens import MisreadError

_DURATIONS = ("recovery", *(name for name in ELSEWHERE if name != "durability"))
_VALUES = ("latency_ms", *_DURATIONS)
_TURNED = {">": "<=", ">=": "<"}
_AVAILABLE = Objective("", "availability", ">=", 0.0)


@dataclass(frozen=True)
class Metric:
    """`objective` but for its target; `value` names what the objective's threshold is held to."""

    objective: Objective
    value: str = ""

    @property
    def duration(self) -> bool:
        """It happens once in an experiment."""
        return self.value in _DURATIONS


def read_metric(spec: Fields) -> Metric | None:
    """The metric of an SLO, or None (and reported)."""
    indicator = spec.below("indicator", openslo_shapes.INDICATOR)
    fields = indicator.below("spec", openslo_shapes.INDICATOR_SPEC) if indicator else None
    if fields is None:
        return None
    given = [key for key in ("ratioMetric", "thresholdMetric") if fields.has(key)]
    if len(given) != 1:
        said = "an indicator has either a ratioMetric or a thresholdMetric"
        fields.problems.add(fields.node.place, codes.OPENSLO, said)
        return None
    return _ratio(fields) if given[0] == "ratioMetric" else _threshold(fields)


def _threshold(fields: Fields) -> Metric | None:
    metric = fields.below("thresholdMetric", openslo_shapes.METRIC)
    source = _source(metric, openslo_shapes.VALUE) if metric else None
    value = source.text("indicator") if source else ""
    if source is None or not value:
        return None
    if value not in _VALUES:
        _refuse(source, "indicator", f"a load tells nothing of {value!r}",
                did_you_mean(value, _VALUES, "indicators"))  # fmt: skip
        return None
    name = "latency" if value == "latency_ms" else value
    return Metric(Objective("", name, "<", 0.0), value)


def _ratio(fields: Fields) -> Metric | None:
    ratio = fields.below("ratioMetric", openslo_shapes.RATIO)
    if ratio is None:
        return None
    given = [key for key in ("good", "bad") if ratio.has(key)]
    if len(given) != 1:
        said = "a ratio is of either good or bad, and total"
        ratio.problems.add(ratio.node.place, codes.OPENSLO, said)
        return None
    total, some = (_filter(ratio, key) for key in ("total", given[0]))
    if total is None or some is None:
        return None
    if total[0].ok or total[0].op or total[0].join:
        _refuse(total[1], "filter", "the total is all requests, or all of one name", "all")
        return None
    if some[0].name not in ("", total[0].name):
        _refuse(some[1], "filter", "good and bad are some of the total",
                       f"write name == {some[0].name} in total, too")  # fmt: skip
        return None
    return _metric(some[0], some[1], total[0].name, bad=given[0] == "bad")


def _metric(some: Filter, source: Fields, name: str, *, bad: bool) -> Metric | None:
    """Failures count as slow, so a latency is always joined with `ok`."""
    ok, join = ("not ok", "or") if bad else ("ok", "and")
    if some.ok != ok or (some.op and some.join != join):
        say = "latency_ms >= 100" if bad else "latency_ms < 100"
        hint = f"write {ok}, or {ok} {join} {say}"
        said = f"what is {'bad' if bad else 'good'} is told by `{ok}`: a failure is never quick"
        _refuse(source, "filter", said, hint)
        return None
    if not some.op:
        return Metric(Objective("", "availability", ">=", 0.0, name=name))
    op = _TURNED.get(some.op, "") if bad else some.op
    if op not in ("<", "<="):
        _refuse(source, "filter", f"{'bad' if bad else 'good'} is told the wrong way round")
        return None
    return Metric(Objective("", "latency", op, some.limit_s, name=name))


def _filter(ratio: Fields, key: str) -> tuple[Filter, Fields] | None:
    metric = ratio.below(key, openslo_shapes.METRIC)
    source = _source(metric, openslo_shapes.FILTER) if metric else None
    node = source.node_of("filter") if source else None
    if source is None or node is None or not source.text("filter"):
        return None
    try:
        return read_filter(node.raw), source
    except MisreadError as error:
        source.problems.add(node.at(error.offset), codes.OPENSLO, error.message, error.hint)
        return None


def _source(metric: Fields, shape: Shape) -> Fields | None:
    """The spec of a metricSource that is the load."""
    source = metric.below("metricSource", openslo_shapes.SOURCE)
    if source is None:
        return None
    kind = source.text("type")
    if kind and kind != "LoadEvents":
        _refuse(source, "type", f"an experiment does not ask {kind}", "LoadEvents is its load")
        return None
    return source.below("spec", shape)


def _refuse(fields: Fields, key: str, said: str, hint: str = "") -> None:
    node = fields.node_of(key)
    fields.problems.add(node.place if node else fields.node.place, codes.OPENSLO, said, hint)
