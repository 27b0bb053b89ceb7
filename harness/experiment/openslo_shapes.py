"""The keys of OpenSLO v1 files of kind SLO (github.com/OpenSLO/OpenSLO, v1)."""

from __future__ import annotations

from typing import Any

from harness.experiment.shapes import TEXT, Key, Shape

_FREE: dict[str, Any] = {}
_IN_PLACE = {"indicatorRef": "files of several parts: write the indicator in place"}

METADATA = Shape(
    "metadata",
    "What it is called.",
    (
        Key("name", "as in Kubernetes", TEXT, "api-latency", required=True),
        Key("displayName", "for people", TEXT),
        Key("labels", "free", _FREE),
        Key("annotations", "NAME/phase, NAME/confidence and NAME/stability-window are ours", _FREE),
    ),
)

SPEC = Shape(
    "spec",
    "The objective.",
    (
        Key("description", "for people", TEXT),
        Key("service", "whose it is", TEXT, "api", required=True),
        Key("indicator", "what is measured", _FREE, required=True),
        Key("timeWindow", "of the business; an experiment has its own", _FREE),
        Key("budgetingMethod", "what is counted", TEXT, "Occurrences", required=True),
        Key("objectives", "at least one", _FREE, required=True),
        Key("alertPolicies", "not used by an experiment", _FREE),
    ),
    _IN_PLACE,
)

SLO = Shape(
    "a file of kind SLO",
    "An objective as OpenSLO v1 writes it.",
    (
        Key("apiVersion", "openslo/v1", TEXT, required=True),
        Key("kind", "SLO", TEXT, required=True),
        Key("metadata", METADATA.about, METADATA, required=True),
        Key("spec", SPEC.about, SPEC, required=True),
    ),
)

OBJECTIVE = Shape(
    "an objective",
    "A target of the indicator.",
    (
        Key("displayName", "for people", TEXT),
        Key("op", "lt, lte, gt or gte, of a threshold", TEXT),
        Key("value", "the threshold", _FREE),
        Key("target", "a share, below 1", _FREE),
        Key("targetPercent", "the same in per cent", _FREE),
        Key("timeSliceTarget", "the share that makes a slice good", _FREE),
        Key("timeSliceWindow", "how long a slice is: 1m, or a number of minutes", _FREE),
    ),
    _IN_PLACE,
)

INDICATOR = Shape(
    "indicator",
    "What is measured.",
    (Key("metadata", "its name", _FREE), Key("spec", "how", _FREE, required=True)),
)

INDICATOR_SPEC = Shape(
    "the indicator's spec",
    "A ratio or a threshold.",
    (
        Key("description", "for people", TEXT),
        Key("ratioMetric", "good (or bad) of all", _FREE),
        Key("thresholdMetric", "a value, held against the objective's", _FREE),
    ),
)

RATIO = Shape(
    "ratioMetric",
    "Good (or bad) of all.",
    (
        Key("counter", "counts that only grow; requests are", _FREE),
        Key("good", "what is good", _FREE),
        Key("bad", "or what is bad", _FREE),
        Key("total", "of what", _FREE, required=True),
    ),
    {"raw": "metrics of a store", "rawType": "metrics of a store"},
)

METRIC = Shape(
    "a metric", "Where it is taken from.", (Key("metricSource", "where", _FREE, required=True),)
)

SOURCE = Shape(
    "metricSource",
    "The load of an experiment.",
    (
        Key("metricSourceRef", "not used by an experiment", TEXT),
        Key("type", "LoadEvents", TEXT, "LoadEvents", required=True),
        Key("spec", "a filter or an indicator", _FREE, required=True),
    ),
)

FILTER = Shape(
    "the spec of LoadEvents",
    "Which requests.",
    (Key("filter", "which requests", TEXT, "ok and latency_ms < 100", required=True),),
)

VALUE = Shape(
    "the spec of LoadEvents",
    "Which value.",
    (Key("indicator", "latency_ms, or a duration in seconds", TEXT, "latency_ms", required=True),),
)
